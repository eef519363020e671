// Numbers as people read them: always the same width for the same size, so that nothing jumps.

const MIB = 1 << 20;

export function mib(bytes) {
  const size = bytes / MIB;
  if (size >= 10240) return `${(size / 1024).toFixed(1)} GiB`;
  return `${size.toFixed(size < 100 ? 1 : 0)} MiB`;
}

export function bytesPerSecond(rate) {
  if (!(rate > 0) || rate > 1e12) return "–";
  const mega = rate / 1e6;
  return mega >= 1000 ? `${(mega / 1000).toFixed(1)} GB/s` : `${mega.toFixed(mega < 10 ? 2 : 0)} MB/s`;
}

export function flops(rate) {
  if (!(rate > 0)) return "–";
  return `${(rate / 1e9).toFixed(rate < 1e11 ? 1 : 0)} GFLOP/s`;
}

export function perSecond(rate) {
  if (rate === 0) return "0";
  return rate.toFixed(rate < 0.995 ? 2 : rate < 99.5 ? 1 : 0);
}

export function seconds(value) {
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(1)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${String(Math.floor(value % 60)).padStart(2, "0")} s`;
  return `${Math.floor(value / 3600)} h ${String(Math.floor((value % 3600) / 60)).padStart(2, "0")} min`;
}

export function counted(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

export function percent(part) {
  return `${Math.round(100 * part)}%`;
}

export function layers([first, last]) {
  return first === last ? `layer ${first}` : `layers ${first}–${last}`;
}

export function clock(time) {
  return new Date(time * 1000).toLocaleTimeString("en-GB");
}
