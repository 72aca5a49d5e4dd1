import { createServer as createTcpServer, type AddressInfo } from "node:net";
import type { ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import type { Resolve } from "../src/address.ts";
import { createPost, type Posted } from "../src/post.ts";
import { listen } from "./sources/http-server.ts";

const SIGNAL = new AbortController().signal;

function posting(resolve?: Resolve) {
  const post = createPost(resolve);
  onTestFinished(() => post.close());
  return (url: string, { allowPrivate = true, timeoutMs = 2000 } = {}, signal = SIGNAL): Promise<Posted> =>
    post({ url, headers: { "content-type": "text/plain" }, body: "hello", allowPrivate, timeoutMs }, signal);
}

/** Counts every connection that reaches this machine by any loopback address. */
async function countConnections(): Promise<{ port: number; count: () => number }> {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections += 1;
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.on("error", () => undefined).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return { port: (server.address() as AddressInfo).port, count: () => connections };
}

const HOSTS = [
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "127.0.0.1.",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "0x7f.0x0.0x0.0x1",
  "0177.0.0.1",
  "0177.1",
  "017700000001",
  "00000177.0.0.1",
  "127.000.000.001",
  "127.0.0.2",
  "127.127.127.127",
  "１２７.０.０.１",
  "①②⑦.⓪.⓪.①",
  "127。0。0。1",
  "127%2e0%2e0%2e1",
  "%31%32%37.0.0.1",
  "0",
  "0.0.0.0",
  "0x0",
  "[::]",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[0000::0001]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:127.0.0.1]",
  "[::ffff:0.0.0.0]",
  "[::127.0.0.1]",
  "[::7f00:1]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b:1::7f00:1]",
  "[2002:7f00:1::]",
  "[2002:7f00:1::1]",
  "[2001:0:7f00:1::]",
  "[2001::80ff:fffe]",
  "[fe80::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[fec0::1]",
  "[ff02::1]",
  "[100::1]",
  "[2001:db8::1]",
  "[3fff::1]",
  "[5f00::1]",
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0xA9.0xFE.0xA9.0xFE",
  "0251.0376.0251.0376",
  "[::ffff:169.254.169.254]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:a9fe:a9fe::]",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "10.0.0.1",
  "10.1",
  "167772161",
  "172.16.0.1",
  "192.168.0.1",
  "192.168.1",
  "0xc0a80001",
  "100.64.0.1",
  "198.18.0.1",
  "192.0.2.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
];

test("no notation of an address that is not public is ever connected to", async () => {
  const { port, count } = await countConnections();
  const post = posting();
  const forms = HOSTS.flatMap((host) => [
    `http://${host}:${port}/`,
    `http://${host}:${port}/#@example.com/`,
    `http://example.com@${host}:${port}/`,
    `HTTP:\\\\${host}:${port}\\`,
  ]);
  expect(forms.length).toBeGreaterThan(150);
  for (const url of forms)
    expect(await post(url, { allowPrivate: false }), url).toEqual({
      kind: "failed",
      reason: expect.stringMatching(/, an address that Touchstone never connects to$/),
    });
  expect(count()).toBe(0);
});

test("a name is refused for any of its addresses, also with a final dot", async () => {
  const { port, count } = await countConnections();
  const answers: Record<string, { address: string; family: number }[]> = {
    "mixed.example": [
      { address: "8.8.8.8", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ],
    "mapped.example": [{ address: "::ffff:7f00:1", family: 6 }],
    "metadata.example": [{ address: "169.254.169.254", family: 4 }],
  };
  const post = posting((name, _options, callback) => callback(null, answers[name] ?? []));
  for (const name of Object.keys(answers))
    expect(await post(`http://${name}:${port}/`, { allowPrivate: false })).toMatchObject({
      reason: expect.stringMatching(/never connects to/),
    });
  const system = posting();
  for (const name of ["localhost", "LOCALHOST", "localhost."])
    expect(await system(`http://${name}:${port}/`, { allowPrivate: false })).toMatchObject({ kind: "failed" });
  expect(count()).toBe(0);
  expect(await post(`http://metadata.example:${port}/`, { allowPrivate: true })).toMatchObject({
    reason: expect.stringMatching(/never connects to/),
  });
});

test("a name that changes its answer is resolved once per attempt, and what was checked is connected to", async () => {
  const { port, count } = await countConnections();
  let asked = 0;
  const post = posting((_name, _options, callback) => {
    asked += 1;
    callback(null, [{ address: asked === 1 ? "127.0.0.1" : "169.254.169.254", family: 4 }]);
  });
  expect(await post(`http://rebinding.example:${port}/`)).toMatchObject({ status: 200 });
  expect([asked, count()]).toEqual([1, 1]);
  expect(await post(`http://rebinding.example:${port}/`)).toMatchObject({
    reason: expect.stringMatching(/never connects to/),
  });
  expect([asked, count()]).toEqual([2, 1]);
});

test.each([301, 302, 303, 307, 308])("a redirect by %i is not followed", async (status) => {
  const { port, count } = await countConnections();
  const { url } = await listen((_asked, response) => {
    response.writeHead(status, { location: `http://127.0.0.1:${port}/` }).end();
  });
  expect(await posting()(url)).toEqual({ kind: "answered", status, retryAfter: null });
  expect(count()).toBe(0);
});

test("an operator may allow a private address", async () => {
  const { url, asked } = await listen((_asked, response) => response.writeHead(204).end());
  expect(await posting()(url, { allowPrivate: true })).toEqual({ kind: "answered", status: 204, retryAfter: null });
  expect(asked[0]?.headers["content-type"]).toBe("text/plain");
});

test("a receiver that does not answer is given up after the time budget", async () => {
  const { url } = await listen(() => undefined);
  expect(await posting()(url, { timeoutMs: 50 })).toEqual({
    kind: "failed",
    reason: expect.stringMatching(/had not answered after 0\.05 s/),
  });
});

test("a status stands however long or broken the rest of the answer is", async () => {
  let sent = 0;
  const endless = (response: ServerResponse) => {
    response.writeHead(200);
    const chunk = "x".repeat(64 * 1024);
    const more = () => {
      while (!response.destroyed && sent < 1e9) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  };
  const post = posting();
  const { url } = await listen((_asked, response) => endless(response));
  expect(await post(url)).toMatchObject({ kind: "answered", status: 200 });
  // What the kernels hold on the way, and not a thousand million.
  expect(sent).toBeLessThan(50e6);
  const broken = await listen((_asked, response) => {
    response.writeHead(200, { "content-length": "10" }).write("x", () => response.destroy());
  });
  expect(await post(broken.url)).toMatchObject({ kind: "answered", status: 200 });
  const slow = await listen((_asked, response) => void response.writeHead(200).write("x"));
  expect(await post(slow.url, { timeoutMs: 200 })).toMatchObject({ kind: "answered", status: 200 });
});

test("a name of which no address answers fails with the reason of each", async () => {
  const post = posting((_name, _options, callback) =>
    callback(null, [
      { address: "127.0.0.1", family: 4 },
      { address: "127.0.0.2", family: 4 },
    ]),
  );
  expect(await post("http://nobody.example:1/")).toEqual({
    kind: "failed",
    reason: expect.stringMatching(/ECONNREFUSED 127\.0\.0\.1:1; .*ECONNREFUSED 127\.0\.0\.2:1/),
  });
});

test("nobody there is a failure with its reason, and an aborted signal ends the attempt with its own", async () => {
  const post = posting();
  expect(await post("http://127.0.0.1:1/")).toEqual({ kind: "failed", reason: expect.stringMatching(/ECONNREFUSED/) });
  const { url } = await listen(() => undefined);
  const controller = new AbortController();
  const attempt = post(url, {}, controller.signal);
  controller.abort(new Error("enough"));
  await expect(attempt).rejects.toThrow("enough");
});
