// A program that forgot the asterisk.
export async function main() {}
