/* blake3_row.h - one block of one input, its state in four registers of four words: for ends of trees and short texts, which
 * have no neighbours. Included once per instruction set.
 * The includer defines R (four words), R_ADD, R_XOR, R_ROR(x,n), R_TURN(x,n), R_LOAD, R_STORE, R_SET(a,b,c,d), TARGET. */
#define ROW_STEP(x, n, r)    \
  a = R_ADD(R_ADD(a, x), b); \
  d = R_ROR(R_XOR(d, a), n); \
  c = R_ADD(c, d);           \
  b = R_ROR(R_XOR(b, c), r);
#define ROW_ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
  ROW_STEP(R_SET(m[i0], m[i2], m[i4], m[i6]), 16, 12)                              \
  ROW_STEP(R_SET(m[i1], m[i3], m[i5], m[i7]), 8, 7)                                \
  b = R_TURN(b, 1), c = R_TURN(c, 2), d = R_TURN(d, 3);                            \
  ROW_STEP(R_SET(m[i8], m[ia], m[ic], m[ie]), 16, 12)                              \
  ROW_STEP(R_SET(m[i9], m[ib], m[id], m[if_]), 8, 7)                               \
  b = R_TURN(b, 3), c = R_TURN(c, 2), d = R_TURN(d, 1);

TARGET static void b3_block(uint32_t h[8], const uint8_t *block, uint64_t counter, uint32_t len, uint32_t flags) {
  uint32_t m[16];
  memcpy(m, block, sizeof m); /* kernels with rows are for little-endian machines */
  const R h0 = R_LOAD(h), h1 = R_LOAD(h + 4);
  R a = h0, b = h1, c = R_LOAD(b3_iv), d = R_SET((uint32_t)counter, (uint32_t)(counter >> 32), len, flags);
  B3_ORDER(ROW_ROUND)
  R_STORE(h, R_XOR(a, c));
  R_STORE(h + 4, R_XOR(b, d));
}
