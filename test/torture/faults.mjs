/**
 * Loaded into a dray process with `--import`: counts every call that changes a file below `DRAY_FAULT_ROOT` and, at the one
 * that `DRAY_FAULT` names, ends the process or lets the call fail, as strace(1) does with `--inject`, but in one order over
 * all threads. `DRAY_FAULT` is `MODE:N`:
 *
 * `kill-before`, `kill-after`, `kill-half` (half of what was to be written is): SIGKILL at the N-th call.
 * `SIGINT`, `SIGTERM`: that signal at the N-th call, which goes on.
 * `ENOSPC` and other names of errors: the N-th call fails with it. `ENOSPC+`: so does every later one that needs room.
 *
 * `DRAY_FAULT_TRACE`: a file that gets a line for each call, `NAME PATH`.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const [mode = '', number = '0'] = (process.env['DRAY_FAULT'] ?? '').split(':');
const root = process.env['DRAY_FAULT_ROOT'] ?? '/';
const { DRAY_FAULT_TRACE } = process.env;
const trace = DRAY_FAULT_TRACE === undefined ? undefined : fs.openSync(DRAY_FAULT_TRACE, 'a');
const wanted = Number(number);
const real = { ...fs, promises: { ...fs.promises } };
const code = mode.replace('+', '');
/** Calls that need room on the disk, and so fail where there is none. */
const NEEDS_ROOM = new Set(['open', 'write', 'mkdir', 'rename', 'link', 'copyFile', 'fsync', 'fdatasync']);
/** What no call answers on a read-only or forbidden file system. */
const OF_OPEN_FILES = new Set(['write', 'fsync', 'fdatasync', 'ftruncate']);
const paths = new Map();
let made = 0;

const kill = () => process.kill(process.pid, 'SIGKILL');
const isBelow = (file) => typeof file === 'string' && path.resolve(file).startsWith(`${root}${path.sep}`);

/** The error that this call answers, if it is the one, or one after it; ends the process before it, if that is asked. */
function before(name, file, half) {
  if (!isBelow(file)) return undefined;
  made += 1;
  if (trace !== undefined) real.writeSync(trace, `${name} ${path.relative(root, file)}\n`);
  const isIt = made === wanted;
  if (isIt && mode === 'kill-before') kill();
  if (isIt && mode === 'kill-half') {
    half?.();
    kill();
  }
  if (isIt && mode.startsWith('SIG')) process.kill(process.pid, mode);
  const fails = mode === 'ENOSPC+' ? made >= wanted && NEEDS_ROOM.has(name) : isIt;
  const possible = !(OF_OPEN_FILES.has(name) && (code === 'EROFS' || code === 'EACCES'));
  return fails && possible && code in os.constants.errno ? errorOf(name, file) : undefined;
}

function after(file) {
  if (isBelow(file) && made === wanted && mode === 'kill-after') kill();
}

/** As Node makes them: those of calls on open files do not say which. */
function errorOf(syscall, file) {
  const known = OF_OPEN_FILES.has(syscall) ? {} : { path: file };
  const where = 'path' in known ? `, ${syscall} '${file}'` : `, ${syscall}`;
  const errno = -os.constants.errno[code];
  return Object.assign(new Error(`${code}: injected${where}`), { errno, code, syscall, ...known });
}

const changes = (flags) =>
  typeof flags === 'number'
    ? (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT)) !== 0
    : /[wa+]/.test(flags ?? 'r');
const fileOf = (fd) => paths.get(typeof fd === 'object' ? fd.fd : fd);

/** A call whose path is its first argument, or its second (of what is made). */
function guard(name, at = 0) {
  const sync = `${name}Sync`;
  if (real[sync] !== undefined)
    fs[sync] = (...args) => {
      const error = before(name, args[at]);
      if (error !== undefined) throw error;
      const result = real[sync](...args);
      after(args[at]);
      return result;
    };
  fs.promises[name] = async (...args) => {
    const error = before(name, args[at]);
    if (error !== undefined) throw error;
    const result = await real.promises[name](...args);
    after(args[at]);
    return result;
  };
}
for (const name of ['mkdir', 'rmdir', 'unlink', 'truncate', 'chmod']) guard(name);
for (const name of ['rename', 'link', 'copyFile']) guard(name, 1);

/** Directory by directory, so that a run can die between them. Answers the first that was made, as Node does. */
const makeOne = fs.mkdirSync;
function make(file, options) {
  if (options?.recursive !== true) return makeOne(file, options);
  if (real.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
  const above = make(path.dirname(path.resolve(file)), options);
  makeOne(file);
  return above ?? path.resolve(file);
}
fs.mkdirSync = make;
fs.promises.mkdir = async (file, options) => make(file, options);

/** Recursive removal file by file, so that a run can die in its middle. */
function remove(file, options) {
  const stats = real.lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) {
    if (options?.force === true) return;
    throw Object.assign(new Error(`ENOENT: no such file or directory, rm '${file}'`), {
      code: 'ENOENT',
      syscall: 'rm',
      path: file,
    });
  }
  if (!stats.isDirectory()) return fs.unlinkSync(file);
  if (options?.recursive !== true) return real.rmSync(file, options);
  for (const name of real.readdirSync(file)) remove(path.join(file, name), options);
  fs.rmdirSync(file);
}
fs.rmSync = remove;
fs.promises.rm = async (file, options) => remove(file, options);

fs.openSync = (file, flags, ...rest) => {
  const error = changes(flags) ? before('open', file) : undefined;
  if (error !== undefined) throw error;
  const fd = real.openSync(file, flags, ...rest);
  paths.set(fd, file);
  if (changes(flags)) after(file);
  return fd;
};
fs.open = (file, flags, ...rest) => {
  const done = rest.at(-1);
  const error = changes(flags) ? before('open', file) : undefined;
  if (error !== undefined) return void process.nextTick(done, error);
  real.open(file, flags, ...rest.slice(0, -1), (failure, fd) => {
    if (failure === null) paths.set(fd, file);
    if (changes(flags)) after(file);
    done(failure, fd);
  });
};
fs.closeSync = (fd) => {
  paths.delete(fd);
  real.closeSync(fd);
};
fs.close = (fd, done) => {
  paths.delete(fd);
  real.close(fd, done);
};

fs.writeSync = (fd, bytes, ...rest) => {
  const file = fileOf(fd);
  const error = before('write', file, () =>
    real.writeSync(fd, Buffer.from(bytes).subarray(0, Buffer.byteLength(bytes) >> 1)),
  );
  if (error !== undefined) throw error;
  const result = real.writeSync(fd, bytes, ...rest);
  after(file);
  return result;
};
fs.write = (fd, bytes, offset, length, position, done) => {
  const file = fileOf(fd);
  // Half of it in whole pages, for O_DIRECT.
  const half = () => real.writeSync(fd, bytes, offset, Math.floor(length / 2 / 4096) * 4096, position);
  const error = before('write', file, half);
  if (error !== undefined) return void process.nextTick(done, error, 0);
  real.write(fd, bytes, offset, length, position, (failure, count) => {
    after(file);
    done(failure, count);
  });
};
for (const name of ['fsync', 'fdatasync', 'ftruncate']) {
  fs[`${name}Sync`] = (fd, ...rest) => {
    const file = fileOf(fd);
    const error = before(name, file);
    if (error !== undefined) throw error;
    real[`${name}Sync`](fd, ...rest);
    after(file);
  };
  fs[name] = (fd, ...rest) => {
    const file = fileOf(fd);
    const error = before(name, file);
    if (error !== undefined) return void process.nextTick(rest.at(-1), error);
    real[name](fd, ...rest.slice(0, -1), (failure) => {
      after(file);
      rest.at(-1)(failure);
    });
  };
}
for (const [name, flags] of [
  ['writeFileSync', 'w'],
  ['appendFileSync', 'a'],
])
  fs[name] = (file, content, options) => {
    const fd = fs.openSync(file, options?.flag ?? flags);
    try {
      fs.writeSync(fd, content);
    } finally {
      fs.closeSync(fd);
    }
  };

/** Open files of `fs/promises`: their class is reached through one of them. */
const handles = new WeakMap();
let known = false;
fs.promises.open = async (file, flags, ...rest) => {
  const error = changes(flags) ? before('open', file) : undefined;
  if (error !== undefined) throw error;
  const handle = await real.promises.open(file, flags, ...rest);
  handles.set(handle, file);
  if (!known) guardHandles(Object.getPrototypeOf(handle));
  known = true;
  if (changes(flags)) after(file);
  return handle;
};
function guardHandles(prototype) {
  for (const [method, name] of [
    ['writeFile', 'write'],
    ['write', 'write'],
    ['sync', 'fsync'],
    ['datasync', 'fdatasync'],
    ['truncate', 'ftruncate'],
  ]) {
    const call = prototype[method];
    prototype[method] = async function guarded(...args) {
      const file = handles.get(this);
      const half =
        name === 'write'
          ? () => real.writeSync(this.fd, Buffer.from(args[0]).subarray(0, Buffer.byteLength(args[0]) >> 1))
          : undefined;
      const error = before(name, file, half);
      if (error !== undefined) throw error;
      const result = await call.apply(this, args);
      after(file);
      return result;
    };
  }
}

syncBuiltinESMExports();
