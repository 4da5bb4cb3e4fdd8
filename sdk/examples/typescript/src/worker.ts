// A Temporal worker in TypeScript for one organization: that of its Bulkhead key. It
// serves the task queue "default" with one workflow, Greet. Copy it and put your own
// workflows in.
//
// It reads BULKHEAD_URL and BULKHEAD_API_KEY. TEMPORAL_TLS=false is for a development
// server without TLS.

import { NativeConnection, Worker } from '@temporalio/worker';

import * as activities from './activities';
import { ask, refresh } from './tokens';

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

async function main(): Promise<void> {
  const url = needed('BULKHEAD_URL');
  const key = needed('BULKHEAD_API_KEY');
  const token = await ask(url, key);
  const connection = await NativeConnection.connect({
    address: token.temporal_address,
    tls: process.env.TEMPORAL_TLS !== 'false',
    apiKey: token.token,
  });
  const end = new AbortController();
  const refreshing = refresh(token, (signal) => ask(url, key, signal), (next) => connection.setApiKey(next), end.signal);
  try {
    const worker = await Worker.create({
      connection,
      namespace: token.namespace,
      taskQueue: 'default',
      workflowsPath: require.resolve('./workflows'),
      activities,
      shutdownGraceTime: '10 seconds', // the token is refreshed until what runs has ended
    });
    await worker.run(); // until SIGTERM or SIGINT
  } finally {
    end.abort();
    await refreshing;
    await connection.close();
  }
}

main().catch((error) => {
  console.error('the worker has ended:', error);
  process.exitCode = 1;
});
