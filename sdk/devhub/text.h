/* text.h - a growable string that remembers a failed allocation, so that writers check once, at the end; and the
 * encodings this server needs: percent, JSON string, hex, base64url.
 * Also the few bounded readers of numbers that command lines, queries and headers share. */
#ifndef DEVHUB_TEXT_H
#define DEVHUB_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
  char *data; /* always NUL-terminated once something was added */
  size_t size, room;
  bool failed;
};

void dh_text_add(struct text *t, const void *data, size_t size);
void dh_text_str(struct text *t, const char *s);
void dh_text_addf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void dh_text_json(struct text *t, const char *s, size_t size); /* with its quotes; bytes outside UTF-8 become U+FFFD */
void dh_text_percent(struct text *t, const char *s, const char *keep); /* unreserved characters and `keep` stay */
void dh_text_base64url(struct text *t, const void *data, size_t size);
void dh_text_base64(struct text *t, const void *data, size_t size); /* with padding */
char *dh_text_take(struct text *t); /* the string, now the caller's; NULL after a failed allocation */
void dh_text_free(struct text *t);

/* Decodes %XX in place (and '+' if `plus`); false for a broken or NUL escape. */
bool dh_percent_decode(char *s, bool plus);
void dh_hex(char *out, const void *data, size_t size);
bool dh_is_hex(const char *s, size_t size);

/* A whole decimal number, nothing else, at most `max`. */
bool dh_number(const char *s, uint64_t max, uint64_t *out);
/* A number with an optional unit: B, K, KB, KiB, M.. T (KB is 1000, K and KiB are 1024). */
bool dh_bytes(const char *s, uint64_t *out);
/* A non-negative decimal with a fraction, at most 1e9. */
bool dh_seconds(const char *s, double *out);
/* Copies a string that must fit; false (and empty) if it does not. */
bool dh_copy(char *out, size_t room, const char *s);
#endif
