# shellcheck shell=bash
# What streams are packed with: zstd, or gzip. At level 1, which keeps up with pg_dump on one core: a node's CPU is its services'.

# find_compressor: sets compressor, compression (zstd or gzip) and, where it is not the best, compression_warning. Asked by packing a
# few bytes: before 0.8 zstd wrote another format.
find_compressor() {
  compressor=(gzip -1 -c) compression=gzip compression_warning='zstd is not installed: gzip is used, which takes three times the CPU and packs less'
  command -v zstd >/dev/null || return 0
  if [[ $(printf probe | zstd -q -1 -c 2>/dev/null | od -A n -t x1 | tr -d ' \n') == 28b52ffd* ]]; then
    compressor=(zstd -q -1 -c) compression=zstd compression_warning=''
  else
    compression_warning='this zstd is too old, its format cannot be read by a newer one: gzip is used, which takes three times the CPU and packs less'
  fi
}
