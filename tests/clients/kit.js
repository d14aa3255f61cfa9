// @solana/kit, the successor of web3.js, with its own ways: big integers, text ids, typed errors.
// node kit.js RPC_URL WEBSOCKET_URL
"use strict";

const assert = require("assert");
const kit = require("@solana/kit");
const { getTransferSolInstruction } = require("@solana-program/system");
const { check, main, version } = require("./checks");

const [url, socketUrl] = process.argv.slice(2);
const rpc = kit.createSolanaRpc(url);
const rpcSubscriptions = kit.createSolanaRpcSubscriptions(socketUrl);
const sendAndConfirm = kit.sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });
const SOL = 1_000_000_000n;

async function signedTransfer(payer, destination, amount) {
  const { value: latest } = await rpc.getLatestBlockhash().send();
  return kit.signTransactionMessageWithSigners(kit.pipe(
    kit.createTransactionMessage({ version: 0 }),
    (message) => kit.setTransactionMessageFeePayerSigner(payer, message),
    (message) => kit.setTransactionMessageLifetimeUsingBlockhash(latest, message),
    (message) => kit.appendTransactionMessageInstruction(getTransferSolInstruction({ source: payer, destination, amount }), message),
  ));
}

/** The first notification after `act`, which runs once the subscription stands. */
async function heard(request, act) {
  const abort = new AbortController();
  const notifications = await request.subscribe({ abortSignal: abort.signal });
  // Kit drops what comes before somebody asks for it.
  const first = notifications[Symbol.asyncIterator]().next();
  await act();
  const { value } = await first;
  abort.abort();
  return value;
}

main(["@solana/kit", "@solana-program/system"].map(version), async () => {
  const payer = await kit.generateKeyPairSigner();
  const friend = (await kit.generateKeyPairSigner()).address;

  await check("cluster: version, genesis, epoch, slot, health", async () => {
    assert.match((await rpc.getVersion().send())["solana-core"], /^\d+\.\d+\.\d+$/);
    assert.strictEqual((await rpc.getGenesisHash().send()).length, 44);
    assert.ok((await rpc.getEpochInfo().send()).absoluteSlot > 0n);
    assert.ok((await rpc.getSlot().send()) > 0n);
    assert.strictEqual(await rpc.getHealth().send(), "ok");
    assert.strictEqual(await rpc.getMinimumBalanceForRentExemption(0n).send(), 890_880n);
  });

  await check("airdropFactory: an airdrop, confirmed", async () => {
    const airdrop = kit.airdropFactory({ rpc, rpcSubscriptions });
    await airdrop({ commitment: "confirmed", lamports: kit.lamports(10n * SOL), recipientAddress: payer.address });
    assert.strictEqual((await rpc.getBalance(payer.address).send()).value, 10n * SOL);
  });

  await check("sendAndConfirmTransactionFactory: a transfer, read again", async () => {
    const transaction = await signedTransfer(payer, friend, SOL);
    await sendAndConfirm(transaction, { commitment: "confirmed" });
    const signature = kit.getSignatureFromTransaction(transaction);
    const landed = await rpc.getTransaction(signature, { encoding: "jsonParsed", maxSupportedTransactionVersion: 0 }).send();
    assert.strictEqual(landed.meta.fee, 5000n);
    assert.deepStrictEqual({ ...landed.transaction.message.instructions[0].parsed.info }, { source: payer.address, destination: friend, lamports: SOL });
    const { value: [status] } = await rpc.getSignatureStatuses([signature]).send();
    assert.strictEqual(status.err, null);
    assert.strictEqual((await rpc.getSignaturesForAddress(friend).send())[0].signature, signature);
    const account = await kit.fetchEncodedAccount(rpc, friend);
    assert.strictEqual(account.lamports, SOL);
    const block = await rpc.getBlock(landed.slot, { maxSupportedTransactionVersion: 0 }).send();
    assert.ok(block.transactions.some((one) => one.transaction.signatures[0] === signature));
  });

  await check("preflight: a typed error with the program's own, and its logs", async () => {
    const transaction = await signedTransfer(payer, friend, 10_000n * SOL);
    await assert.rejects(sendAndConfirm(transaction, { commitment: "confirmed" }), (error) => {
      assert.ok(kit.isSolanaError(error, kit.SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE), String(error));
      assert.ok(error.context.logs.some((line) => line.includes("insufficient lamports")));
      assert.ok(kit.isSolanaError(error.cause, kit.SOLANA_ERROR__INSTRUCTION_ERROR__CUSTOM));
      assert.strictEqual(error.cause.context.code, 1);
      return true;
    });
  });

  await check("simulation", async () => {
    const wire = kit.getBase64EncodedWireTransaction(await signedTransfer(payer, friend, 1n));
    const { value } = await rpc.simulateTransaction(wire, { encoding: "base64" }).send();
    assert.strictEqual(value.err, null);
    assert.strictEqual(value.unitsConsumed, 150n);
  });

  await check("subscriptions: account, logs, slot, signature", async () => {
    const pay = async () => sendAndConfirm(await signedTransfer(payer, friend, SOL), { commitment: "confirmed" });
    const account = await heard(rpcSubscriptions.accountNotifications(friend, { encoding: "base64" }), pay);
    assert.strictEqual(account.value.lamports, 2n * SOL);
    const logs = await heard(rpcSubscriptions.logsNotifications({ mentions: [friend] }), pay);
    assert.ok(logs.value.logs.includes("Program 11111111111111111111111111111111 success"));
    const slot = await heard(rpcSubscriptions.slotNotifications(), pay);
    assert.ok(slot.slot > slot.parent);
    const transaction = await signedTransfer(payer, friend, SOL);
    const signature = kit.getSignatureFromTransaction(transaction);
    const told = await heard(
      rpcSubscriptions.signatureNotifications(signature, { commitment: "confirmed" }),
      () => rpc.sendTransaction(kit.getBase64EncodedWireTransaction(transaction), { encoding: "base64" }).send());
    assert.strictEqual(told.value.err, null);
  });
});
