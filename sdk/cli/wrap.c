/* wrap.c - breaks text into chunks (words, parts of hyphenated words, runs of blanks) and fills lines with them.
 * The rules are those of Python's textwrap with whitespace kept inside lines and dropped at their ends.
 * Works on the text in place: a chunk is a pair of offsets. */
#include "wrap.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "unicode.h"

size_t cli_terminal_columns(void) {
  const char *text = getenv("COLUMNS");
  if (text && *text) {
    char *end;
    long columns = strtol(text, &end, 10);
    if (!*end && columns > 0 && columns < 100000) return (size_t)columns;
  }
  struct winsize size;
  if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) return size.ws_col;
  return 80;
}

struct text {
  const char *s;
  size_t len;
};

static bool blank_at(struct text t, size_t i) {
  return i < t.len && strchr("\t\n\v\f\r ", t.s[i]);
}
static bool word_at(struct text t, size_t i) { /* \w */
  return i < t.len && (isalnum((unsigned char)t.s[i]) || t.s[i] == '_' || (unsigned char)t.s[i] >= 0x80);
}
static bool letter_at(struct text t, size_t i) {
  return word_at(t, i) && !isdigit((unsigned char)t.s[i]);
}
/* A run of two or more dashes between words starts here; answers its length. */
static size_t dashes_at(struct text t, size_t i) {
  size_t n = 0;
  if (!i || !(word_at(t, i - 1) || strchr("!\"'&.,?", t.s[i - 1]))) return 0;
  while (i + n < t.len && t.s[i + n] == '-') n++;
  return n >= 2 && word_at(t, i + n) ? n : 0;
}
/* A word may break behind the hyphen at i. */
static bool hyphen_at(struct text t, size_t i) {
  if (i >= t.len || t.s[i] != '-') return false;
  bool before = (i >= 2 && letter_at(t, i - 1) && letter_at(t, i - 2)) ||
                (i >= 3 && letter_at(t, i - 1) && t.s[i - 2] == '-' && letter_at(t, i - 3));
  size_t next = i + 1;
  if (!before || !letter_at(t, next)) return false;
  next++;
  return letter_at(t, next) || (next < t.len && t.s[next] == '-' && letter_at(t, next + 1));
}

static size_t chunk_end(struct text t, size_t i) {
  if (blank_at(t, i)) {
    while (blank_at(t, i)) i++;
    return i;
  }
  size_t dashes = dashes_at(t, i);
  if (dashes) return i + dashes;
  for (size_t j = i + 1;; j++) {
    if (hyphen_at(t, j)) return j + 1;
    if (j >= t.len || blank_at(t, j) || dashes_at(t, j)) return j < t.len ? j : t.len;
  }
}

static void blanks(FILE *f, size_t n) {
  while (n--) putc(' ', f);
}

/* Fills lines with one paragraph; *lines counts those written so far, for margins. */
static void fill(FILE *f, struct text t, const struct cli_wrap *w, size_t lead, size_t *lines) {
  size_t at = 0, first = 1;
  while (at < t.len) {
    if (!first && blank_at(t, at)) at = chunk_end(t, at);
    if (at >= t.len) break;
    size_t indent = (first ? w->indent : w->hang) + lead;
    size_t width = w->width > indent ? w->width - indent : 1, used = 0, from = at, to = at, next;
    while (at < t.len) {
      next = chunk_end(t, at);
      size_t n = cli_utf8_length(t.s + at, next - at);
      if (used + n > width) {
        if (n > width) { /* longer than any line: cut */
          size_t room = width > used ? width - used : 1;
          at += cli_utf8_prefix(t.s + at, next - at, room);
          to = at;
        }
        break;
      }
      used += n;
      at = to = next;
    }
    while (to > from && blank_at(t, to - 1)) to--;
    if (to == from) continue;
    if (*lines) {
      putc('\n', f);
      blanks(f, w->margin);
    }
    blanks(f, indent);
    fwrite(t.s + from, 1, to - from, f);
    ++*lines;
    first = 0;
  }
}

void cli_wrap_write(FILE *f, const char *text, const struct cli_wrap *w) {
  size_t lines = 0, len = strlen(text);
  char *joined = malloc(len + 1); /* one paragraph: its lines with blanks between */
  if (!joined) return;
  for (size_t at = 0; at < len;) {
    size_t n = 0, lead = 0;
    bool open = false;
    while (at < len) {
      const char *line = text + at, *end = memchr(line, '\n', len - at);
      size_t size = end ? (size_t)(end - line) : len - at;
      at += size + (end ? 1 : 0);
      if (!size) {
        if (open) break;
        continue;
      }
      if (!open)
        for (; size && *line == ' '; line++, size--) lead++;
      else
        joined[n++] = ' ';
      memcpy(joined + n, line, size);
      n += size;
      open = true;
    }
    if (!open) break;
    if (lines) {
      putc('\n', f);
      blanks(f, w->margin);
    }
    fill(f, (struct text){joined, n}, w, lead, &lines);
  }
  free(joined);
}
