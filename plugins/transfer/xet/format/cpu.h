/* cpu.h - what the processor can do and the system lets us use: asked of the processor itself, because the compiler's own
 * answer comes with a constructor, and a plugin runs no code before load().
 * x86-64 only. Leaf 7 of CPUID, and the register state that the system saves. */
#ifndef XET_CPU_H
#define XET_CPU_H
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <stdbool.h>

/* Asking costs a trap under virtualisation: once per run. */
#define CPU_AVX2       (1u << 5)
#define CPU_AVX512_ALL (1u << 5 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) /* AVX2, F, DQ, BW, VL */

static inline bool cpu_has(unsigned bits, unsigned saved) {
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) return false;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & saved) != saved || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (b & bits) == bits;
}
#define CPU_SAVED_AVX    0x06u
#define CPU_SAVED_AVX512 0xe6u
#endif
#endif
