import { proxyActivities } from '@temporalio/workflow';

import type * as activities from './activities';

const { compose } = proxyActivities<typeof activities>({ startToCloseTimeout: '10 seconds' });

/** Greet is a workflow that greets somebody. */
export async function Greet(name: string): Promise<string> {
  return compose(name);
}
