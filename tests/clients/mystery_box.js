// The whole box with Metaplex's Umi clients and Anchor's TypeScript client: a machine with hidden
// settings and guards, mints, a bot's tax, the reveal, and the buyback.
// node mystery_box.js RPC_URL UPGRADE_AUTHORITY_KEY_FILE BUYBACK_IDL
"use strict";

const assert = require("assert");
const fs = require("fs");
const anchor = require("@coral-xyz/anchor");
const umiModule = require("@metaplex-foundation/umi");
const { createUmi } = require("@metaplex-foundation/umi-bundle-defaults");
const candy = require("@metaplex-foundation/mpl-candy-machine");
const metadata = require("@metaplex-foundation/mpl-token-metadata");
const toolbox = require("@metaplex-foundation/mpl-toolbox");
const { check, main, version } = require("./checks");

const { dateTime, generateSigner, keypairIdentity, percentAmount, publicKey, sol, some, transactionBuilder } = umiModule;
const { ComputeBudgetProgram, Connection, Keypair, PublicKey, SYSVAR_INSTRUCTIONS_PUBKEY, SystemProgram, Transaction } = anchor.web3;

const [url, keyFile, idlFile] = process.argv.slice(2);
const secret = Uint8Array.from(JSON.parse(fs.readFileSync(keyFile)));
const authority = Keypair.fromSecretKey(secret);
const treasury = Keypair.generate();
const umi = createUmi(url, "confirmed").use(candy.mplCandyMachine());
umi.use(keypairIdentity(umi.eddsa.createKeypairFromSecretKey(secret)));
const METADATA_PROGRAM = new PublicKey("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s");
const TOKEN_PROGRAM = new PublicKey("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
const ITEMS = 5;

const settings = (collection) => ({
  collectionMint: collection.publicKey, collectionUpdateAuthority: umi.identity, itemsAvailable: ITEMS,
  sellerFeeBasisPoints: percentAmount(5), symbol: "BOX", isMutable: true,
  creators: [{ address: umi.identity.publicKey, verified: true, percentageShare: 100 }],
  hiddenSettings: some({ name: "Box #$ID+1$", uri: "https://example.com/box.json", hash: new Uint8Array(32) }),
});
const guards = (start) => ({
  botTax: some({ lamports: sol(0.02), lastInstruction: true }),
  solPayment: some({ lamports: sol(0.2), destination: publicKey(treasury.publicKey.toBase58()) }),
  startDate: some({ date: dateTime(start) }),
});

async function made(collection, tokenStandard, start) {
  const machine = generateSigner(umi);
  const build = await candy.create(umi, { candyMachine: machine, ...settings(collection), tokenStandard, guards: guards(start) });
  await build.sendAndConfirm(umi);
  return machine;
}

async function minted(machine, collection, tokenStandard) {
  const mint = generateSigner(umi);
  const { signature } = await transactionBuilder()
    .add(toolbox.setComputeUnitLimit(umi, { units: 800_000 }))
    .add(candy.mintV2(umi, {
      candyMachine: machine.publicKey, nftMint: mint, collectionMint: collection.publicKey, tokenStandard,
      collectionUpdateAuthority: umi.identity.publicKey,
      mintArgs: { solPayment: some({ destination: publicKey(treasury.publicKey.toBase58()) }) },
    }))
    .sendAndConfirm(umi, { confirm: { commitment: "confirmed" } });
  return [mint.publicKey, signature];
}

main(["@coral-xyz/anchor", "@metaplex-foundation/umi", "@metaplex-foundation/mpl-candy-machine",
  "@metaplex-foundation/mpl-token-metadata"].map(version), async () => {
  const connection = new Connection(url, "confirmed");
  await check("Umi: airdrops", async () => {
    await umi.rpc.airdrop(umi.identity.publicKey, sol(50));
    await umi.rpc.airdrop(publicKey(treasury.publicKey.toBase58()), sol(500));
    assert.strictEqual((await umi.rpc.getBalance(umi.identity.publicKey)).basisPoints, sol(50).basisPoints);
  });

  const collection = generateSigner(umi);
  await check("mpl-token-metadata: a collection NFT", async () => {
    await metadata.createNft(umi, {
      mint: collection, name: "Boxes", symbol: "BOX", uri: "https://example.com/boxes.json",
      sellerFeeBasisPoints: percentAmount(5), isCollection: true,
    }).sendAndConfirm(umi);
    const asset = await metadata.fetchDigitalAsset(umi, collection.publicKey);
    assert.strictEqual(asset.metadata.collectionDetails.value.__kind, "V1");
  });

  const plain = metadata.TokenStandard.NonFungible;
  const programmable = metadata.TokenStandard.ProgrammableNonFungible;
  const machine = await check("mpl-candy-machine: a machine with hidden settings and guards", async () => {
    const machine_ = await made(collection, plain, "2020-01-01T00:00:00Z");
    const found = await candy.fetchCandyMachine(umi, machine_.publicKey);
    assert.strictEqual(Number(found.data.itemsAvailable), ITEMS);
    assert.strictEqual(found.data.hiddenSettings.value.uri, "https://example.com/box.json");
    const guard = await candy.safeFetchCandyGuard(umi, found.mintAuthority);
    assert.strictEqual(guard.guards.botTax.value.lamports.basisPoints, sol(0.02).basisPoints);
    return machine_;
  });

  const box = await check("mpl-candy-machine: mint an NFT, paid to the treasury", async () => {
    const before = await connection.getBalance(treasury.publicKey);
    const [mint, signature] = await minted(machine, collection, plain);
    const asset = await metadata.fetchDigitalAsset(umi, mint);
    assert.strictEqual(asset.metadata.name, "Box #1");
    assert.strictEqual(asset.metadata.collection.value.verified, true);
    assert.strictEqual(await connection.getBalance(treasury.publicKey), before + 0.2 * 1e9);
    const landed = await umi.rpc.getTransaction(signature);
    assert.ok(landed.meta.logs.some((line) => line.includes("Instruction: MintV2")), landed.meta.logs.join("\n"));
    assert.strictEqual(landed.meta.postTokenBalances[0].amount.basisPoints, 1n);
    return mint;
  });

  await check("mpl-candy-machine: mint a programmable NFT", async () => {
    const other = await made(collection, programmable, "2020-01-01T00:00:00Z");
    const [mint] = await minted(other, collection, programmable);
    const asset = await metadata.fetchDigitalAssetWithAssociatedToken(umi, mint, umi.identity.publicKey);
    assert.strictEqual(asset.metadata.tokenStandard.value, programmable);
    assert.ok(asset.tokenRecord);
  });

  await check("mpl-candy-machine: too early, a tax and no NFT", async () => {
    const later = await made(collection, plain, "2090-01-01T00:00:00Z");
    const before = await umi.rpc.getBalance(umi.identity.publicKey);
    const [mint, signature] = await minted(later, collection, plain);
    const landed = await umi.rpc.getTransaction(signature);
    assert.strictEqual(landed.meta.err, null);
    assert.ok(landed.meta.logs.some((line) => line.includes("Botting is taxed")));
    assert.strictEqual(await umi.rpc.accountExists(mint), false);
    const after = await umi.rpc.getBalance(umi.identity.publicKey);
    assert.strictEqual(before.basisPoints - after.basisPoints - landed.meta.fee.basisPoints, sol(0.02).basisPoints);
  });

  await check("mpl-token-metadata: the reveal rewrites name and URI", async () => {
    const { metadata: old } = await metadata.fetchDigitalAsset(umi, box);
    await metadata.updateV1(umi, {
      mint: box, authority: umi.identity,
      data: some({ ...old, name: "Dragon", uri: "https://example.com/dragon.json" }),
    }).sendAndConfirm(umi);
    assert.strictEqual((await metadata.fetchDigitalAsset(umi, box)).metadata.name, "Dragon");
    const owned = await metadata.fetchAllDigitalAssetByOwner(umi, umi.identity.publicKey);
    assert.ok(owned.some((one) => one.publicKey === box));
    const creator = await metadata.fetchAllDigitalAssetByCreator(umi, umi.identity.publicKey, { position: 2 });
    assert.ok(creator.some((one) => one.publicKey === box));
  });

  const provider = new anchor.AnchorProvider(connection, new anchor.Wallet(authority), { commitment: "confirmed" });
  const program = new anchor.Program(JSON.parse(fs.readFileSync(idlFile)), provider);
  const find = (seeds, owner) => PublicKey.findProgramAddressSync(seeds, owner)[0];
  const config = find([Buffer.from("buyback_config"), Buffer.from([1])], program.programId);
  const ofMint = (mint, ...more) =>
    find([Buffer.from("metadata"), METADATA_PROGRAM.toBuffer(), mint.toBuffer(), ...more.map((one) => Buffer.from(one))], METADATA_PROGRAM);

  await check("Anchor: initialise the buyback and fetch its configuration", async () => {
    await program.methods.initialize(1, new anchor.BN(100e9)).accounts({
      authority: authority.publicKey, treasury: treasury.publicKey, collectionMint: new PublicKey(collection.publicKey), config,
      program: program.programId,
      programData: find([program.programId.toBuffer()], new PublicKey("BPFLoaderUpgradeab1e11111111111111111111111")),
      systemProgram: SystemProgram.programId,
    }).rpc();
    const found = await program.account.config.fetch(config);
    assert.ok(found.treasury.equals(treasury.publicKey));
    assert.strictEqual(found.buybackEnabled, true);
    const all = await program.account.config.all();
    assert.deepStrictEqual(all.map((one) => one.publicKey.toBase58()), [config.toBase58()]);
  });

  const mint = new PublicKey(box);
  const sale = (amount) => program.methods.executeBuyback(new anchor.BN(amount)).accounts({
    user: authority.publicKey, treasury: treasury.publicKey, config, mint,
    tokenAccount: anchor.utils.token.associatedAddress({ mint, owner: authority.publicKey }),
    metadata: ofMint(mint), edition: ofMint(mint, "edition"),
    collectionMetadata: ofMint(new PublicKey(collection.publicKey)), tokenRecord: null,
    tokenMetadataProgram: METADATA_PROGRAM, tokenProgram: TOKEN_PROGRAM,
    systemProgram: SystemProgram.programId, sysvarInstructions: SYSVAR_INSTRUCTIONS_PUBKEY,
  });

  await check("Anchor: paused buybacks are refused by name", async () => {
    await program.methods.setEnabled(false).accounts({ authority: authority.publicKey, config }).rpc();
    await assert.rejects(sale(1e9).signers([treasury]).rpc(), (error) => {
      assert.ok(error instanceof anchor.AnchorError, String(error));
      assert.strictEqual(error.error.errorCode.code, "BuybackDisabled");
      return true;
    });
    await assert.rejects(sale(1e9).simulate(), (error) => {
      assert.deepStrictEqual(error.simulationResponse.err, { InstructionError: [0, { Custom: 6000 }] });
      return true;
    });
    await program.methods.setEnabled(true).accounts({ authority: authority.publicKey, config }).rpc();
  });

  await check("Anchor: a buyback burns the NFT and pays, and its event is heard", async () => {
    const simulated = await sale(1e9).simulate();
    assert.strictEqual(simulated.events[0].name, "buybackExecuted");
    let listener;
    const heard = new Promise((resolve) => {
      listener = program.addEventListener("buybackExecuted", (event) => resolve(event));
    });
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    const before = await connection.getBalance(treasury.publicKey);
    const signed = await sale(1e9).preInstructions([ComputeBudgetProgram.setComputeUnitLimit({ units: 300_000 })]).transaction();
    const latest = await connection.getLatestBlockhash();
    const transaction = new Transaction({ feePayer: authority.publicKey, ...latest }).add(...signed.instructions);
    // As the guide has it: the treasury signs first, the wallet adds its own and sends.
    transaction.partialSign(treasury);
    const again = Transaction.from(transaction.serialize({ requireAllSignatures: false }));
    again.partialSign(authority);
    const signature = await connection.sendRawTransaction(again.serialize());
    await connection.confirmTransaction({ signature, ...latest });
    const event = await heard;
    await program.removeEventListener(listener);
    assert.strictEqual(event.amount.toNumber(), 1e9);
    assert.strictEqual(await connection.getBalance(treasury.publicKey), before - 1e9);
    assert.strictEqual(await connection.getAccountInfo(ofMint(mint, "edition")), null);
    const parser = new anchor.EventParser(program.programId, program.coder);
    const { meta } = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    assert.deepStrictEqual([...parser.parseLogs(meta.logMessages)].map((one) => one.name), ["buybackExecuted"]);
  });

  await check("mpl-candy-machine: the machine sells out", async () => {
    for (let sold = 1; sold < ITEMS; sold += 1) await minted(machine, collection, plain);
    await assert.rejects(minted(machine, collection, plain), { code: 6006 }); // CandyMachineEmpty
    assert.strictEqual(Number((await candy.fetchCandyMachine(umi, machine.publicKey)).itemsRedeemed), ITEMS);
  });
});
