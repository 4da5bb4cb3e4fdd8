import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { ask, refresh, type Clock, type Token } from './tokens';

/** A clock whose time passes as soon as somebody waits. */
class Fast implements Clock {
  time = 0;
  waits: number[] = [];
  now = () => this.time;
  wait = async (ms: number, signal: AbortSignal) => {
    signal.throwIfAborted();
    this.time += ms;
    this.waits.push(ms);
  };
}

const tokenUntil = (at: number, name: string): Token => ({
  token: name, expires_at: new Date(at).toISOString(), namespace: 'org-acme', temporal_address: 'temporal:7233',
});

test('Should get the next token before the present one ends, again and again', async () => {
  const clock = new Fast();
  const end = new AbortController();
  const used: string[] = [];
  let ends = 300_000; // when the present one does
  await refresh(
    tokenUntil(ends, 'first'),
    async () => {
      assert.ok(clock.time < ends - 60_000);
      ends = clock.time + 300_000;
      return tokenUntil(ends, `token ${used.length}`);
    },
    async (token) => {
      used.push(token);
      if (used.length === 5) end.abort();
    },
    end.signal,
    clock,
  );
  assert.deepEqual(used, ['token 0', 'token 1', 'token 2', 'token 3', 'token 4']);
});

test('Should go on trying while the API is away, and longer each time', async () => {
  const clock = new Fast();
  const end = new AbortController();
  let asked = 0;
  await refresh(
    tokenUntil(300_000, 'first'),
    async () => {
      if (++asked < 12) throw new Error('away');
      return tokenUntil(clock.time + 300_000, 'second');
    },
    async () => end.abort(),
    end.signal,
    clock,
  );
  assert.deepEqual(clock.waits.slice(1), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000, 30000]);
});

test('Should exchange the key, and say what the API says', async () => {
  let status = 200;
  const server = createServer((request, response) => {
    assert.equal(request.url, '/api/v0/auth/token');
    assert.equal(request.headers.authorization, 'Bearer bhk_key');
    response.writeHead(status).end(JSON.stringify(status === 200 ? tokenUntil(1, 'it') : { code: 'auth.unauthenticated' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    assert.equal((await ask(url, 'bhk_key')).token, 'it');
    status = 401;
    await assert.rejects(ask(url, 'bhk_key'), /401 .*auth\.unauthenticated/);
  } finally {
    server.close();
  }
});
