/* png.h - the pixels of a PNG file (png.c).
 * Only what pictures of models need: 8 bits a channel, not interlaced.
 * Private to the commands of inference. */
#ifndef INF_PNG_H
#define INF_PNG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PNG_SIDE = 4096 };
/* Red, green, blue of every pixel, row by row; the caller frees. NULL: not to be read. */
uint8_t *inf_png_pixels(const void *data, size_t len, uint32_t *width, uint32_t *height);
#endif
