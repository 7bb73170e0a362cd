// The event loop, an HTTP server with its clients on the loopback interface, workers, children, streams, crypto, WebAssembly and the optimising compiler.
const crypto = require('crypto'), fs = require('fs'), http = require('http'), zlib = require('zlib');
const { execFileSync } = require('child_process');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

if (!isMainThread) {
    const view = new Int32Array(workerData);
    for (let i = 0; i < 1000; i++) Atomics.add(view, 0, 1);
    parentPort.postMessage('done');
} else {
    main().catch(error => { console.log('failed', error); process.exit(1); });
}

function hot(n) {
    let x = 0.5, s = 0;
    for (let i = 0; i < n; i++) { x = 3.7 * x * (1 - x); s = (s + Math.floor(x * 1000)) | 0; }
    return s;
}

async function main() {
    const data = fs.readFileSync('big.txt');
    console.log(crypto.createHash('sha256').update(data).digest('hex'));
    console.log(zlib.gunzipSync(zlib.gzipSync(data)).equals(data), 2n ** 150n, hot(200000));
    const shared = new SharedArrayBuffer(4);
    await Promise.all([1, 2].map(() => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: shared });
        worker.on('message', resolve).on('error', reject);
    })));
    console.log('shared', new Int32Array(shared)[0]);
    const server = http.createServer((request, response) => response.end(request.url.split('').reverse().join('')));
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    const ask = path => new Promise((resolve, reject) => http.get({ port: server.address().port, host: '127.0.0.1', path, agent: false }, response => {
        let text = '';
        response.on('data', chunk => text += chunk).on('end', () => resolve(text));
    }).on('error', reject));
    console.log(await Promise.all(['/abc', '/def'].map(ask)));
    server.close();
    const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]);
    console.log('wasm', (await WebAssembly.instantiate(wasm)).instance.exports.add(40, 2));
    console.log(execFileSync('echo', ['a child']).toString().trim(), [5, 3, 9].sort(), JSON.stringify({ a: [1, { b: null }] }));
    const keys = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signature = crypto.sign('sha256', data, keys.privateKey);
    console.log('signed', crypto.verify('sha256', data, keys.publicKey, signature), /(?<y>\d{4})/.exec('in 1999').groups.y);
    try { null.x; } catch (error) { console.log(error.constructor.name); }
}
