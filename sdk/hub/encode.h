/* encode.h - a growing text of JSON and base64: the bodies of preupload and commit are written with it.
 * Every function that may run out of memory, or meets what is no UTF-8, answers false.
 * Private to sdk/hub. */
#ifndef HUB_ENCODE_H
#define HUB_ENCODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hf_hub_line {
  char *text; /* malloc'ed; no NUL */
  size_t len, room;
};

/* Room for n more bytes at the end; NULL: out of memory. */
char *hf_hub_line_room(struct hf_hub_line *, size_t n);
bool hf_hub_line_put(struct hf_hub_line *, const char *, size_t);
bool hf_hub_line_puts(struct hf_hub_line *, const char *);
/* With its quotes; ascii: everything else is escaped, as Python writes it. */
bool hf_hub_line_string(struct hf_hub_line *, const char *, bool ascii);
bool hf_hub_line_base64(struct hf_hub_line *, const uint8_t *, size_t);

static inline uint64_t hf_hub_base64_len(uint64_t size) {
  return (size + 2) / 3 * 4;
}
/* Writes exactly hf_hub_base64_len(len) bytes. */
void hf_hub_base64(const uint8_t *, size_t len, char *to);
#endif
