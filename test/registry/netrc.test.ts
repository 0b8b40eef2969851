import { expect, it } from 'vitest';
import { parseNetrc } from '../../src/registry/netrc.ts';

it('reads logins by host, the first of a host, and never the default', () => {
  const text = `
# a comment with machine comment.example login x password y
machine one.example login user password pass#word
machine two.example
  login "us er"
  account ignored
  password "qu\\"oted"

macdef init
machine macro.example login m password n

machine one.example login other password later
machine three.example password only
default login anonymous password me@example`;
  expect([...parseNetrc(text)]).toEqual([
    ['one.example', { username: 'user', password: 'pass#word' }],
    ['two.example', { username: 'us er', password: 'qu"oted' }],
    ['three.example', { username: '', password: 'only' }],
  ]);
});

it.each(['', 'machine', 'machine a login', 'password x', '"'])('survives %j', (text) => {
  expect(() => parseNetrc(text)).not.toThrow();
});
