// A token of Bulkhead's is good for a few minutes and for one namespace. Temporal's
// frontend checks it with each call, so a worker's connection needs the next one
// before the present one ends.

import { setTimeout as sleep } from 'node:timers/promises';

export interface Token {
  token: string;
  expires_at: string;
  namespace: string;
  temporal_address: string;
}

/** ask exchanges an API key for a token. It fails with what the API says. */
export async function ask(url: string, key: string, signal?: AbortSignal): Promise<Token> {
  const response = await fetch(new URL('/api/v0/auth/token', url), {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ access: 'write' }),
    signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(signal ? [signal] : [])]),
  });
  if (!response.ok) {
    // The body is a problem (RFC 9457), which holds no secret.
    throw new Error(`no token: ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as Token;
}

/** What refresh works with; a test gives another clock. */
export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

const real: Clock = {
  now: Date.now,
  wait: (ms, signal) => sleep(ms, undefined, { signal }),
};

const longestPause = 30_000;

/**
 * refresh keeps a connection's token fresh until the signal: it gets the next one at
 * about 60 % of the present one's life, and goes on trying when the API is away. Until
 * the token ends nothing is lost by that, and after that the worker polls on in vain
 * until there is one: it need not be restarted.
 */
export async function refresh(
  first: Token,
  next: (signal: AbortSignal) => Promise<Token>,
  use: (token: string) => Promise<void>,
  signal: AbortSignal,
  clock: Clock = real,
): Promise<void> {
  let token = first;
  let pause = 0; // after a failure
  while (!signal.aborted) {
    const life = Date.parse(token.expires_at) - clock.now();
    try {
      await clock.wait(pause || Math.max(1000, life * (0.55 + 0.1 * Math.random())), signal);
      token = await next(signal);
      await use(token.token);
      pause = 0;
    } catch (error) {
      if (signal.aborted) return;
      pause = Math.min(longestPause, pause * 2 || 500);
      console.warn(`cannot refresh the token; trying again in ${pause} ms:`, (error as Error).message);
    }
  }
}
