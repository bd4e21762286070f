# shellcheck shell=bash
# What streams are packed with: zstd with all cores; an old one as it can; else gzip.

# find_compressor: sets compressor, compression (zstd or gzip) and, where it is not the best, compression_warning. Asked by packing a
# few bytes: before 0.8 zstd wrote another format, and before 1.3 it knew no -T0.
find_compressor() {
  local options
  compressor=(gzip -6 -c) compression=gzip compression_warning='zstd is not installed: gzip is used, which is slower and packs less'
  command -v zstd >/dev/null || return 0
  for options in '-q -3 -T0 -c' '-q -3 -c'; do
    # shellcheck disable=SC2086 # options are words
    if [ "$(printf probe | zstd $options 2>/dev/null | head -c 4 | od -A n -t x1 | tr -d ' \n')" = 28b52ffd ]; then
      read -r -a compressor <<<"zstd $options"
      compression=zstd compression_warning=''
      [ "$options" = '-q -3 -T0 -c' ] || compression_warning='this zstd knows no -T0: it packs with one core alone. A newer one is quicker'
      return 0
    fi
  done
  compression_warning='this zstd is too old, its format can not be read by a newer one: gzip is used, which is slower and packs less'
}
