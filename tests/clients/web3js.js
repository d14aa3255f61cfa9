// @solana/web3.js and @solana/spl-token as an application uses them, knowing only the HTTP URL.
// node web3js.js RPC_URL
"use strict";

const assert = require("assert");
const token = require("@solana/spl-token");
const {
  AddressLookupTableProgram, ComputeBudgetProgram, Connection, Keypair, LAMPORTS_PER_SOL, NonceAccount,
  NONCE_ACCOUNT_LENGTH, PublicKey, SendTransactionError, SystemProgram, Transaction, TransactionExpiredBlockheightExceededError,
  TransactionInstruction, TransactionMessage, VersionedTransaction, sendAndConfirmTransaction,
} = require("@solana/web3.js");
const { check, main, version } = require("./checks");

const base58 = require("bs58").encode ?? require("bs58").default.encode;
const [url] = process.argv.slice(2);
const connection = new Connection(url, "confirmed");
const payer = Keypair.generate();
const friend = Keypair.generate();
const MEMO = new PublicKey("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

const memo = (text) => new TransactionInstruction({
  programId: MEMO, data: Buffer.from(text), keys: [{ pubkey: payer.publicKey, isSigner: true, isWritable: false }],
});
const transfer = (lamports, to = friend.publicKey) =>
  SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to, lamports });

async function confirmed(signature, lifetime) {
  const latest = lifetime ?? (await connection.getLatestBlockhash());
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.strictEqual(value.err, null);
}

async function sendVersioned(instructions, signers, tables = []) {
  const latest = await connection.getLatestBlockhash();
  const message = new TransactionMessage({
    payerKey: signers[0].publicKey, recentBlockhash: latest.blockhash, instructions,
  }).compileToV0Message(tables);
  const transaction = new VersionedTransaction(message);
  transaction.sign(signers);
  const signature = await connection.sendTransaction(transaction);
  await confirmed(signature, latest);
  return signature;
}

function notified(subscribe, unsubscribe, act, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const id = subscribe((value, context) => {
      if (!wanted(value)) return;
      unsubscribe(id).then(() => resolve([value, context]), reject);
    });
    // web3.js opens its socket when first asked and tells nobody when the subscription stands.
    setTimeout(() => act().catch(reject), 500);
  });
}

main([version("@solana/web3.js"), version("@solana/spl-token")], async () => {
  await check("cluster: version, genesis, epoch, slot, height, supply, nodes", async () => {
    assert.match((await connection.getVersion())["solana-core"], /^\d+\.\d+\.\d+$/);
    assert.strictEqual((await connection.getGenesisHash()).length, 44);
    const epoch = await connection.getEpochInfo();
    assert.ok(epoch.absoluteSlot >= epoch.slotIndex);
    await connection.getEpochSchedule();
    assert.ok((await connection.getSlot()) > 0);
    assert.ok((await connection.getBlockHeight()) >= 0);
    assert.ok((await connection.getSupply()).value.total > 0);
    assert.ok(Array.isArray(await connection.getClusterNodes()));
    assert.ok((await connection.getSlotLeader()).length > 30);
    await connection.getSlotLeaders(await connection.getSlot(), 2);
    await connection.getVoteAccounts();
    await connection.getInflationGovernor();
    await connection.getInflationRate();
    await connection.getRecentPerformanceSamples(3);
    await connection.getRecentPrioritizationFees();
    await connection.getStakeMinimumDelegation();
    await connection.getFirstAvailableBlock();
    await connection.getMinimumLedgerSlot();
    await connection.getTransactionCount();
    await connection.getLargestAccounts();
    assert.strictEqual(await connection.getMinimumBalanceForRentExemption(0), 890880);
  });

  await check("airdrop, confirmed over the websocket beside the HTTP port", async () => {
    await confirmed(await connection.requestAirdrop(payer.publicKey, 100 * LAMPORTS_PER_SOL));
    assert.strictEqual(await connection.getBalance(payer.publicKey), 100 * LAMPORTS_PER_SOL);
  });

  const paid = await check("sendAndConfirmTransaction: a transfer with a priority fee and a memo", async () => {
    const transaction = new Transaction().add(
      ComputeBudgetProgram.setComputeUnitLimit({ units: 50_000 }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: 1_000 }),
      transfer(LAMPORTS_PER_SOL), memo("thanks"),
    );
    const signature = await sendAndConfirmTransaction(connection, transaction, [payer]);
    assert.strictEqual(await connection.getBalance(friend.publicKey), LAMPORTS_PER_SOL);
    assert.strictEqual((await connection.getFeeForMessage(transaction.compileMessage())).value, 5050);
    return signature;
  });

  await check("getParsedTransaction, getTransaction, statuses, signatures, blocks", async () => {
    const parsed = await connection.getParsedTransaction(paid, { maxSupportedTransactionVersion: 0 });
    const [limit, , pay, note] = parsed.transaction.message.instructions;
    assert.strictEqual(limit.programId.toBase58(), "ComputeBudget111111111111111111111111111111");
    assert.deepStrictEqual(pay.parsed, {
      type: "transfer",
      info: { source: payer.publicKey.toBase58(), destination: friend.publicKey.toBase58(), lamports: LAMPORTS_PER_SOL },
    });
    assert.strictEqual(note.parsed, "thanks");
    const plain = await connection.getTransaction(paid, { maxSupportedTransactionVersion: 0 });
    assert.strictEqual(plain.version, "legacy");
    assert.strictEqual(plain.meta.fee, 5050);
    assert.strictEqual(plain.transaction.message.instructions.length, 4);
    const [both] = await connection.getTransactions([paid], { maxSupportedTransactionVersion: 0 });
    assert.deepStrictEqual(both.meta, plain.meta);
    const { value } = await connection.getSignatureStatuses([paid], { searchTransactionHistory: true });
    assert.ok(["confirmed", "finalized"].includes(value[0].confirmationStatus));
    const [newest] = await connection.getSignaturesForAddress(friend.publicKey, { limit: 1 });
    assert.strictEqual(newest.signature, paid);
    assert.strictEqual(newest.memo, "[6] thanks");
    const block = await connection.getBlock(plain.slot, { maxSupportedTransactionVersion: 0 });
    assert.ok(block.transactions.some((one) => one.transaction.signatures[0] === paid));
    await connection.getParsedBlock(plain.slot, { maxSupportedTransactionVersion: 0 });
    const names = await connection.getBlockSignatures(plain.slot);
    assert.ok(names.signatures.includes(paid));
    assert.strictEqual(await connection.getBlockTime(plain.slot), plain.blockTime);
    assert.ok((await connection.getBlocks(plain.slot, plain.slot + 1)).includes(plain.slot));
    await connection.getBlockProduction();
  });

  await check("a transaction without money throws SendTransactionError with its logs", async () => {
    const latest = await connection.getLatestBlockhash();
    const transaction = new Transaction({ feePayer: payer.publicKey, ...latest }).add(transfer(10_000 * LAMPORTS_PER_SOL));
    await assert.rejects(connection.sendTransaction(transaction, [payer]), (error) => {
      assert.ok(error instanceof SendTransactionError, String(error));
      assert.match(error.message, /Simulation failed/);
      assert.ok(error.logs.some((line) => line.includes("insufficient lamports")));
      return true;
    });
  });

  await check("without preflight it lands, and confirmation tells the error", async () => {
    const latest = await connection.getLatestBlockhash();
    const transaction = new Transaction({ feePayer: payer.publicKey, ...latest }).add(transfer(10_000 * LAMPORTS_PER_SOL));
    const signature = await connection.sendTransaction(transaction, [payer], { skipPreflight: true });
    // web3.js throws what a status says and returns what a notification says; either may be first.
    const told = await connection.confirmTransaction({ signature, ...latest }).then(({ value }) => value.err, (thrown) => thrown);
    assert.deepStrictEqual(told, { InstructionError: [0, { Custom: 1 }] });
    const failed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    assert.deepStrictEqual(failed.meta.err, told);
    const error = new SendTransactionError({ action: "send", signature, transactionMessage: "failed" });
    assert.ok((await error.getLogs(connection)).some((line) => line.includes("insufficient lamports")));
  });

  await check("simulation: legacy and version 0, with accounts returned and a replaced blockhash", async () => {
    const legacy = new Transaction({ feePayer: payer.publicKey, ...(await connection.getLatestBlockhash()) }).add(transfer(5));
    const first = await connection.simulateTransaction(legacy, [payer], [friend.publicKey]);
    assert.strictEqual(first.value.err, null);
    assert.strictEqual(first.value.accounts[0].lamports, LAMPORTS_PER_SOL + 5);
    const message = new TransactionMessage({
      payerKey: payer.publicKey, recentBlockhash: PublicKey.default.toBase58(), instructions: [transfer(7)],
    }).compileToV0Message();
    const second = await connection.simulateTransaction(new VersionedTransaction(message), {
      replaceRecentBlockhash: true, sigVerify: false, innerInstructions: true,
      accounts: { encoding: "base64", addresses: [friend.publicKey.toBase58()] },
    });
    assert.strictEqual(second.value.err, null);
    assert.ok(second.value.unitsConsumed > 0);
    assert.strictEqual(second.value.accounts[0].lamports, LAMPORTS_PER_SOL + 7);
  });

  await check("a lookup table is made, filled, read and used by a version 0 transaction", async () => {
    const slot = await connection.getSlot();
    const [create, address] = AddressLookupTableProgram.createLookupTable({
      authority: payer.publicKey, payer: payer.publicKey, recentSlot: slot - 1,
    });
    const extend = AddressLookupTableProgram.extendLookupTable({
      lookupTable: address, authority: payer.publicKey, payer: payer.publicKey, addresses: [friend.publicKey, MEMO],
    });
    await sendVersioned([create, extend], [payer]);
    const table = (await connection.getAddressLookupTable(address)).value;
    assert.deepStrictEqual(table.state.addresses.map(String), [friend.publicKey, MEMO].map(String));
    const signature = await sendVersioned([transfer(11)], [payer], [table]);
    const landed = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    assert.strictEqual(landed.version, 0);
    assert.deepStrictEqual(landed.meta.loadedAddresses.writable.map(String), [friend.publicKey.toBase58()]);
    const keys = landed.transaction.message.getAccountKeys({ accountKeysFromLookups: landed.meta.loadedAddresses });
    assert.ok(keys.keySegments().flat().some((key) => key.equals(friend.publicKey)));
    const parsed = await connection.getParsedTransaction(signature, { maxSupportedTransactionVersion: 0 });
    assert.ok(parsed.transaction.message.accountKeys.some((key) => key.source === "lookupTable"));
    await assert.rejects(connection.getTransaction(signature), /Transaction version \(0\) is not supported/);
  });

  await check("a durable nonce carries a transaction", async () => {
    const nonce = Keypair.generate();
    const lamports = await connection.getMinimumBalanceForRentExemption(NONCE_ACCOUNT_LENGTH);
    const make = SystemProgram.createNonceAccount({
      fromPubkey: payer.publicKey, noncePubkey: nonce.publicKey, authorizedPubkey: payer.publicKey, lamports,
    });
    await sendAndConfirmTransaction(connection, make, [payer, nonce]);
    const stored = (await connection.getNonce(nonce.publicKey)).nonce;
    const transaction = new Transaction({
      feePayer: payer.publicKey, minContextSlot: await connection.getSlot(),
      nonceInfo: {
        nonce: stored,
        nonceInstruction: SystemProgram.nonceAdvance({ noncePubkey: nonce.publicKey, authorizedPubkey: payer.publicKey }),
      },
    }).add(transfer(13));
    await sendAndConfirmTransaction(connection, transaction, [payer]);
    const account = await connection.getAccountInfo(nonce.publicKey);
    assert.notStrictEqual(NonceAccount.fromAccountData(account.data).nonce, stored);
  });

  await check("tokens: mint, holders, transfer, approve, burn, close; balances and parsed accounts", async () => {
    for (const program of [token.TOKEN_PROGRAM_ID, token.TOKEN_2022_PROGRAM_ID]) {
      const options = { commitment: "confirmed" };
      const mint = await token.createMint(connection, payer, payer.publicKey, null, 6, undefined, options, program);
      const mine = await token.getOrCreateAssociatedTokenAccount(connection, payer, mint, payer.publicKey, false, "confirmed", options, program);
      const theirs = await token.getOrCreateAssociatedTokenAccount(connection, payer, mint, friend.publicKey, false, "confirmed", options, program);
      await token.mintTo(connection, payer, mint, mine.address, payer, 5_000_000n, [], options, program);
      await token.transferChecked(connection, payer, mine.address, mint, theirs.address, payer, 1_500_000n, 6, [], options, program);
      await token.approve(connection, payer, mine.address, friend.publicKey, payer, 1n, [], options, program);
      const spent = await token.burn(connection, payer, mine.address, mint, payer, 500_000n, [], options, program);
      const burnt = await connection.getParsedTransaction(spent, { maxSupportedTransactionVersion: 0 });
      assert.strictEqual(burnt.transaction.message.instructions[0].parsed.type, "burn");
      assert.strictEqual(burnt.meta.postTokenBalances[0].uiTokenAmount.uiAmountString, "3");
      assert.strictEqual((await token.getMint(connection, mint, "confirmed", program)).supply, 4_500_000n);
      assert.strictEqual((await token.getAccount(connection, mine.address, "confirmed", program)).amount, 3_000_000n);
      assert.strictEqual((await connection.getTokenSupply(mint)).value.uiAmount, 4.5);
      assert.strictEqual((await connection.getTokenAccountBalance(theirs.address)).value.uiAmountString, "1.5");
      const [largest] = (await connection.getTokenLargestAccounts(mint)).value;
      assert.ok(largest.address.equals(mine.address));
      const owned = await connection.getParsedTokenAccountsByOwner(payer.publicKey, { programId: program });
      assert.strictEqual(owned.value[0].account.data.parsed.info.tokenAmount.amount, "3000000");
      const raw = await connection.getTokenAccountsByOwner(payer.publicKey, { mint });
      assert.ok(raw.value[0].pubkey.equals(mine.address));
      const ofMint = await connection.getParsedProgramAccounts(program, {
        filters: [{ memcmp: { offset: 0, bytes: mint.toBase58() } }, ...(program.equals(token.TOKEN_PROGRAM_ID) ? [{ dataSize: 165 }] : [])],
      });
      assert.strictEqual(ofMint.length, 2);
      const slices = await connection.getProgramAccounts(program, {
        dataSlice: { offset: 64, length: 8 }, filters: [{ memcmp: { offset: 0, bytes: mint.toBase58() } }], withContext: true,
      });
      assert.deepStrictEqual(slices.value.map((one) => one.account.data.readBigUInt64LE()).sort(), [1_500_000n, 3_000_000n]);
      await token.burn(connection, payer, mine.address, mint, payer, 3_000_000n, [], options, program);
      await token.closeAccount(connection, payer, mine.address, payer.publicKey, payer, [], options, program);
      await assert.rejects(token.getAccount(connection, mine.address, "confirmed", program), token.TokenAccountNotFoundError);
      assert.strictEqual(await connection.getAccountInfo(mine.address), null);
    }
  });

  await check("Token-2022: extensions of a mint and an account, parsed as spl-token decodes them", async () => {
    const { ExtensionType: Type, TOKEN_2022_PROGRAM_ID: id } = token;
    const mint = Keypair.generate();
    const who = payer.publicKey;
    const types = [
      Type.MintCloseAuthority, Type.TransferFeeConfig, Type.DefaultAccountState, Type.InterestBearingConfig,
      Type.PermanentDelegate, Type.TransferHook, Type.MetadataPointer, Type.GroupPointer, Type.GroupMemberPointer,
    ];
    const space = token.getMintLen(types);
    await sendVersioned([
      SystemProgram.createAccount({
        fromPubkey: who, newAccountPubkey: mint.publicKey, space, programId: id,
        lamports: await connection.getMinimumBalanceForRentExemption(space + 500),
      }),
      token.createInitializeMintCloseAuthorityInstruction(mint.publicKey, who, id),
      token.createInitializeTransferFeeConfigInstruction(mint.publicKey, who, null, 250, 5_000n, id),
      token.createInitializeDefaultAccountStateInstruction(mint.publicKey, token.AccountState.Initialized, id),
      token.createInitializeInterestBearingMintInstruction(mint.publicKey, who, 125, id),
      token.createInitializePermanentDelegateInstruction(mint.publicKey, who, id),
      token.createInitializeTransferHookInstruction(mint.publicKey, who, MEMO, id),
      token.createInitializeMetadataPointerInstruction(mint.publicKey, who, mint.publicKey, id),
      token.createInitializeGroupPointerInstruction(mint.publicKey, who, friend.publicKey, id),
      token.createInitializeGroupMemberPointerInstruction(mint.publicKey, who, friend.publicKey, id),
      token.createInitializeMintInstruction(mint.publicKey, 2, who, who, id),
    ], [payer, mint]);
    const options = { commitment: "confirmed" };
    await token.tokenMetadataInitialize(connection, payer, mint.publicKey, who, payer, "Box", "BOX", "https://example.com", [], options, id);
    const decoded = await token.getMint(connection, mint.publicKey, "confirmed", id);
    const { parsed } = (await connection.getParsedAccountInfo(mint.publicKey)).value.data;
    const shown = Object.fromEntries(parsed.info.extensions.map((one) => [one.extension, one.state]));
    const fee = token.getTransferFeeConfig(decoded);
    assert.deepStrictEqual(shown.transferFeeConfig, {
      transferFeeConfigAuthority: who.toBase58(), withdrawWithheldAuthority: null, withheldAmount: 0,
      olderTransferFee: { epoch: Number(fee.olderTransferFee.epoch), maximumFee: 5000, transferFeeBasisPoints: 250 },
      newerTransferFee: { epoch: Number(fee.newerTransferFee.epoch), maximumFee: 5000, transferFeeBasisPoints: 250 },
    });
    const interest = token.getInterestBearingMintConfigState(decoded);
    assert.deepStrictEqual(shown.interestBearingConfig, {
      rateAuthority: who.toBase58(), initializationTimestamp: Number(interest.initializationTimestamp),
      preUpdateAverageRate: interest.preUpdateAverageRate, lastUpdateTimestamp: Number(interest.lastUpdateTimestamp),
      currentRate: 125,
    });
    assert.deepStrictEqual(shown.mintCloseAuthority, { closeAuthority: token.getMintCloseAuthority(decoded).closeAuthority.toBase58() });
    assert.deepStrictEqual(shown.permanentDelegate, { delegate: token.getPermanentDelegate(decoded).delegate.toBase58() });
    assert.deepStrictEqual(shown.defaultAccountState, { accountState: "initialized" });
    assert.deepStrictEqual(shown.transferHook, { authority: who.toBase58(), programId: MEMO.toBase58() });
    assert.deepStrictEqual(shown.groupPointer, { authority: who.toBase58(), groupAddress: friend.publicKey.toBase58() });
    assert.deepStrictEqual(shown.groupMemberPointer, { authority: who.toBase58(), memberAddress: friend.publicKey.toBase58() });
    const metadata = await token.getTokenMetadata(connection, mint.publicKey, "confirmed", id);
    assert.strictEqual(metadata.name, "Box");
    assert.deepStrictEqual(shown.tokenMetadata, {
      updateAuthority: who.toBase58(), mint: mint.publicKey.toBase58(), name: "Box", symbol: "BOX", uri: "https://example.com",
      additionalMetadata: [],
    });
    const holder = await token.createAssociatedTokenAccount(connection, payer, mint.publicKey, who, options, id);
    const account = (await connection.getParsedAccountInfo(holder)).value.data.parsed.info;
    assert.deepStrictEqual(account.extensions, [
      { extension: "immutableOwner" },
      { extension: "transferFeeAmount", state: { withheldAmount: 0 } },
      { extension: "transferHookAccount", state: { transferring: false } },
    ]);
  });

  await check("reads: several accounts at once, parsed ones, programs", async () => {
    const [known, unknown] = await connection.getMultipleAccountsInfo([payer.publicKey, Keypair.generate().publicKey]);
    assert.ok(known.owner.equals(SystemProgram.programId));
    assert.strictEqual(unknown, null);
    const both = await connection.getMultipleParsedAccounts([token.TOKEN_PROGRAM_ID, new PublicKey("SysvarC1ock11111111111111111111111111111111")]);
    assert.strictEqual(both.value[0].executable, true);
    assert.strictEqual(both.value[1].data.parsed.type, "clock");
    assert.strictEqual((await connection.getParsedAccountInfo(payer.publicKey)).value.lamports, await connection.getBalance(payer.publicKey));
  });

  await check("subscriptions: account, program, logs, signature, slot, root", async () => {
    const someone = Keypair.generate().publicKey;
    const pay = () => sendAndConfirmTransaction(connection, new Transaction().add(transfer(LAMPORTS_PER_SOL, someone)), [payer]);
    const [account, at] = await notified(
      (tell) => connection.onAccountChange(someone, tell), (id) => connection.removeAccountChangeListener(id), pay);
    assert.strictEqual(account.lamports, LAMPORTS_PER_SOL);
    assert.ok(at.slot > 0);
    const [owned] = await notified(
      (tell) => connection.onProgramAccountChange(SystemProgram.programId, tell),
      (id) => connection.removeProgramAccountChangeListener(id), pay, (one) => one.accountId.equals(someone));
    assert.strictEqual(owned.accountInfo.lamports, 2 * LAMPORTS_PER_SOL);
    const [logs] = await notified(
      (tell) => connection.onLogs(someone, tell), (id) => connection.removeOnLogsListener(id), pay);
    assert.strictEqual(logs.err, null);
    assert.ok(logs.logs.includes("Program 11111111111111111111111111111111 success"));
    await notified((tell) => connection.onLogs("all", tell), (id) => connection.removeOnLogsListener(id), pay);
    const [slot] = await notified(
      (tell) => connection.onSlotChange(tell), (id) => connection.removeSlotChangeListener(id), pay);
    assert.ok(slot.slot > slot.parent);
    await notified((tell) => connection.onSlotUpdate(tell), (id) => connection.removeSlotUpdateListener(id), pay);
    const [root] = await notified(
      (tell) => connection.onRootChange(tell), (id) => connection.removeRootChangeListener(id), pay);
    assert.ok(Number.isInteger(root));
    const latest = await connection.getLatestBlockhash();
    const transaction = new Transaction({ feePayer: payer.publicKey, ...latest }).add(transfer(17));
    transaction.sign(payer);
    const signature = base58(transaction.signature);
    const [done] = await notified(
      (tell) => connection.onSignature(signature, tell), async () => {}, () => connection.sendRawTransaction(transaction.serialize()));
    assert.strictEqual(done.err, null);
  });

  await check("an old blockhash: valid, then expired by time travel", async () => {
    const latest = await connection.getLatestBlockhash();
    assert.strictEqual((await connection.isBlockhashValid(latest.blockhash)).value, true);
    const transaction = new Transaction({ feePayer: payer.publicKey, ...latest }).add(transfer(19));
    transaction.sign(payer);
    const { absoluteSlot } = await connection.getEpochInfo();
    const answer = await connection._rpcRequest("surfnet_timeTravel", [{ absoluteSlot: absoluteSlot + 200 }]);
    assert.ok(answer.result, JSON.stringify(answer));
    assert.strictEqual((await connection.isBlockhashValid(latest.blockhash)).value, false);
    await assert.rejects(connection.sendRawTransaction(transaction.serialize()), /Blockhash not found/);
    await assert.rejects(
      connection.confirmTransaction({ signature: base58(transaction.signature), ...latest }),
      TransactionExpiredBlockheightExceededError);
  });

  await check("what is not there is an error that names it", async () => {
    const answer = await connection._rpcRequest("getSnow", []);
    assert.strictEqual(answer.error.code, -32601);
  });
});
