/** compose puts the greeting together. */
export async function compose(name: string): Promise<string> {
  return `Hello, ${name}!`;
}
