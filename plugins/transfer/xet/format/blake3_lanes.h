/* blake3_lanes.h - the body of a kernel for L lanes of 32-bit words, included once per instruction set.
 * The includer defines L, V (vector type), ADD, XOR, ROR(x,n), SET1, LOADU, and b3_transpose_in (16 message vectors of one
 * block of every lane), b3_out (8 state vectors to the jobs' results), TARGET. */
#define B3_G(a, b, c, d, x, y) \
  a = ADD(ADD(a, b), x);       \
  d = ROR(XOR(d, a), 16);      \
  c = ADD(c, d);               \
  b = ROR(XOR(b, c), 12);      \
  a = ADD(ADD(a, b), y);       \
  d = ROR(XOR(d, a), 8);       \
  c = ADD(c, d);               \
  b = ROR(XOR(b, c), 7);

#define B3_ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
  B3_G(v0, v4, v8, vc, m[i0], m[i1])                                              \
  B3_G(v1, v5, v9, vd, m[i2], m[i3])                                              \
  B3_G(v2, v6, va, ve, m[i4], m[i5])                                              \
  B3_G(v3, v7, vb, vf, m[i6], m[i7])                                              \
  B3_G(v0, v5, va, vf, m[i8], m[i9])                                              \
  B3_G(v1, v6, vb, vc, m[ia], m[ib])                                              \
  B3_G(v2, v7, v8, vd, m[ic], m[id])                                              \
  B3_G(v3, v4, v9, ve, m[ie], m[if_])

TARGET static void b3_run(const struct b3_job *jobs, const uint32_t key[8], uint32_t flags, uint32_t first, bool even) {
  V h[8];
  for (int i = 0; i < 8; i++) h[i] = SET1(key[i]);
  uint32_t low[L], high[L], most = 0;
  for (int i = 0; i < L; i++) {
    low[i] = (uint32_t)jobs[i].counter;
    high[i] = (uint32_t)(jobs[i].counter >> 32);
    if (jobs[i].len > most) most = jobs[i].len;
  }
  const V counter_low = LOADU(low), counter_high = LOADU(high);
  uint32_t blocks = (most + B3_BLOCK - 1) / B3_BLOCK;
  uint8_t tail[L][B3_BLOCK]; /* padded last blocks of ragged lanes */
  uint32_t len[L], flag[L];
  const uint8_t *at[L];
  for (int i = 0; i < L; i++) at[i] = jobs[i].in;
  V block_len = SET1(B3_BLOCK);
  for (uint32_t b = 0; b < blocks; b++) {
    V block_flags;
    if (even) {
      for (int i = 0; i < L; i++) flag[i] = flags | (b == 0 ? first : 0) | (b + 1 == blocks ? jobs[i].last : 0);
      block_flags = LOADU(flag);
    } else {
      for (int i = 0; i < L; i++) {
        uint32_t done = b * B3_BLOCK, left = jobs[i].len > done ? jobs[i].len - done : 0;
        len[i] = left < B3_BLOCK ? left : B3_BLOCK;
        flag[i] = flags | (b == 0 ? first : 0) | (left <= B3_BLOCK ? jobs[i].last : 0);
        if (left < B3_BLOCK) {
          memset(tail[i], 0, B3_BLOCK);
          if (left) memcpy(tail[i], jobs[i].in + done, left);
          at[i] = tail[i];
        }
      }
      block_len = LOADU(len);
      block_flags = LOADU(flag);
    }
    V m[16];
    b3_transpose_in(at, m);
    for (int i = 0; i < L; i++) at[i] += B3_BLOCK;
    V v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
    V v8 = SET1(b3_iv[0]), v9 = SET1(b3_iv[1]), va = SET1(b3_iv[2]), vb = SET1(b3_iv[3]);
    V vc = counter_low, vd = counter_high, ve = block_len, vf = block_flags;
    B3_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
    B3_ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
    B3_ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
    B3_ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
    B3_ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
    B3_ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
    B3_ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)
    V n[8] = {XOR(v0, v8), XOR(v1, v9), XOR(v2, va), XOR(v3, vb), XOR(v4, vc), XOR(v5, vd), XOR(v6, ve), XOR(v7, vf)};
    if (even) {
      for (int i = 0; i < 8; i++) h[i] = n[i];
    } else { /* a lane whose input has ended keeps its value */
      uint32_t keep[L];
      for (int i = 0; i < L; i++) keep[i] = jobs[i].len > b * B3_BLOCK ? 0xffffffffu : 0;
      const V mask = LOADU(keep);
      for (int i = 0; i < 8; i++) h[i] = XOR(h[i], AND(mask, XOR(h[i], n[i])));
    }
  }
  b3_out(h, jobs);
}
