/* content.h - bytes that need not be stored: a pure function of a seed and an offset.
 * Every 8-byte word differs from its neighbours and from the same word of every other page, so a block that is
 * misplaced, repeated or lost changes the hash; reading at any offset costs the same. */
#ifndef DEVHUB_CONTENT_H
#define DEVHUB_CONTENT_H
#include <stddef.h>
#include <stdint.h>

uint64_t dh_content_mix(uint64_t a, uint64_t b); /* a seed for the b-th file of a */
void dh_content_fill(uint64_t seed, uint64_t offset, void *out, size_t size);
#endif
