// gRPC's own library for Node.js on both ends: a server that speaks TLS, and a client that calls it through a proxy over plain HTTP/2. Its
// one argument is JSON: {certificate, key}. Prints the server's port, then reads a line {address, path, token}, calls, and prints as one
// JSON object what both ends have seen.
import { createInterface } from 'node:readline/promises';
import { Client, Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js';

const { certificate, key } = JSON.parse(process.argv[2]);
const bytes = { serialize: (text) => Buffer.from(text), deserialize: (buffer) => buffer.toString() };
const method = (path, requestStream, responseStream) => ({
  path: `/echo.Echo/${path}`, requestStream, responseStream,
  requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize,
});
const service = { unary: method('Unary', false, false), many: method('Many', false, true), talk: method('Talk', true, true) };
const seen = [];
const metadata = (pairs) => {
  const made = new Metadata();
  Object.entries(pairs).forEach(([name, value]) => made.set(name, value));
  return made;
};

const server = new Server();
server.addService(service, {
  unary(call, callback) {
    seen.push(call.metadata.getMap());
    const trailers = metadata({ 'x-cost': '7', 'set-cookie': 'a=b' });
    if (call.request === 'fail') callback({ code: status.NOT_FOUND, details: 'no such thing', metadata: trailers });
    else callback(null, call.request.toUpperCase(), trailers);
  },
  many(call) {
    for (let n = 0; n < 100; n += 1) call.write(`${n} ${'x'.repeat(10_000)}`);
    call.end(metadata({ 'x-cost': '100' }));
  },
  talk(call) {
    call.on('data', (said) => call.write(`heard ${said}`));
    call.on('end', () => call.end());
  },
});
const port = await new Promise((resolve, reject) => {
  const tls = ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) }]);
  server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error ? reject(error) : resolve(bound)));
});
console.log(port);

const input = createInterface({ input: process.stdin });
const { address, path, token } = JSON.parse((await input[Symbol.asyncIterator]().next()).value);
const client = new Client(address, credentials.createInsecure());
const credential = metadata({ authorization: `Bearer ${token}`, 'x-own': 'kept' });
const { serialize, deserialize } = bytes;
const ended = (call, result) => new Promise((resolve) => {
  call.on('metadata', (head) => { result.head = head.getMap(); });
  call.on('error', () => {});
  call.on('status', ({ code, details, metadata: trailers }) => resolve({ ...result, code, details, trailers: trailers.getMap() }));
});
const unary = (text) => {
  const result = {};
  const url = `${path}echo.Echo/Unary`;
  const call = client.makeUnaryRequest(url, serialize, deserialize, text, credential, (_, answer) => { result.answer = answer; });
  return ended(call, result);
};
const many = () => {
  const result = { pieces: 0, length: 0 };
  const call = client.makeServerStreamRequest(`${path}echo.Echo/Many`, serialize, deserialize, 'all', credential);
  call.on('data', (text) => { result.pieces += 1; result.length += text.length; });
  return ended(call, result);
};
// Each sentence waits for the answer to the one before: both directions are open at once.
const talk = () => {
  const result = { heard: [] };
  const call = client.makeBidiStreamRequest(`${path}echo.Echo/Talk`, serialize, deserialize, credential);
  call.on('data', (text) => {
    result.heard.push(text);
    if (result.heard.length < 3) call.write(`sentence ${result.heard.length + 1}`);
    else call.end();
  });
  call.write('sentence 1');
  return ended(call, result);
};
const report = { unary: await unary('hello'), failed: await unary('fail'), many: await many(), talk: await talk() };
report.together = (await Promise.all(Array.from({ length: 150 }, (_, n) => unary(`call ${n}`)))).filter(({ code }) => code === 0).length;
const nowhere = () => new Promise((resolve) => {
  client.makeUnaryRequest(`${path}../Unary`, serialize, deserialize, '', credential, ({ code }) => resolve(code));
});
report.refused = await nowhere();
report.seen = seen[0];
console.log(JSON.stringify(report));
process.exit(0);
