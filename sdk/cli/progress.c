/* progress.c - bars on stderr while files arrive: how many files of how many, and on a terminal how many bytes.
 * Only in human mode, unless HF_HUB_DISABLE_PROGRESS_BARS says otherwise; the bar that counts files shows without a
 * terminal too, bytes do not. One line, redrawn at most ten times a second. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "unicode.h"

struct cli_progress {
  bool terminal, counting; /* counting files */
  char title[160];
  uint64_t files, files_total, bytes, bytes_total;
  uint64_t *held; /* bytes per item */
  uint32_t items;
  double begun, drawn;
  size_t last_width;
};

static atomic_bool shown; /* a line is on the screen */

bool cli_progress_on_screen(void) {
  return atomic_load(&shown);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct cli_progress *cli_progress_new(hf_runtime *rt, enum cli_mode mode) {
  const char *key = "HF_HUB_DISABLE_PROGRESS_BARS";
  const char *value = hf_config_get(rt, key);
  if (value ? hf_config_flag(rt, key) : mode != CLI_HUMAN) return NULL;
  struct cli_progress *p = calloc(1, sizeof *p);
  if (p) p->terminal = isatty(STDERR_FILENO);
  return p;
}

void cli_progress_clear(struct cli_progress *p) {
  if (!p || !p->terminal || !atomic_exchange(&shown, false)) return;
  fputs("\r\033[K", stderr);
}

static void write_seconds(FILE *f, double seconds) {
  unsigned long s = seconds < 0 ? 0 : seconds > 1e8 ? 100000000 : (unsigned long)seconds;
  if (s >= 3600)
    fprintf(f, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
  else
    fprintf(f, "%02lu:%02lu", s / 60, s % 60);
}

/* 1.23k, 45.6M, 789G */
static void write_amount(FILE *f, double amount) {
  static const char units[] = " kMGTPEZ";
  int i = 0;
  for (; amount >= 999.5 && units[i + 1]; i++) amount /= 1000;
  if (amount < 99.95)
    fprintf(f, amount < 9.995 ? "%.2f" : "%.1f", amount);
  else
    fprintf(f, "%.0f", amount);
  if (i) putc(units[i], f);
}

static double share_of(const struct cli_progress *p) {
  uint64_t done = p->counting ? p->files : p->bytes, total = p->counting ? p->files_total : p->bytes_total;
  return !total ? 0 : done >= total ? 1 : (double)done / (double)total;
}

static void write_bar(FILE *f, double share, int cells) {
  static const char *const parts[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = (int)(share * cells * 8), full = eighths / 8;
  for (int i = 0; i < full; i++) fputs("█", f);
  if (full >= cells) return;
  fputs(parts[eighths % 8], f);
  for (int i = full + 1; i < cells; i++) putc(' ', f);
}

static size_t terminal_width(const struct cli_progress *p) {
  struct winsize size;
  if (!p->terminal || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20) return 0;
  return size.ws_col;
}

/* "[00:01<00:03, 2.31it/s]" */
static void write_rate(FILE *f, double done, double total, double elapsed, bool bytes) {
  double rate = elapsed > 0 ? done / elapsed : 0;
  fputs(" [", f);
  write_seconds(f, elapsed);
  putc('<', f);
  if (rate > 0 && total >= done)
    write_seconds(f, (total - done) / rate);
  else
    putc('?', f);
  fputs(", ", f);
  if (bytes) {
    if (rate > 0)
      write_amount(f, rate);
    else
      putc('?', f);
    fputs("B/s", f);
  } else if (rate > 0 && rate < 1) {
    fprintf(f, "%5.2fs/it", 1 / rate);
  } else if (rate > 0) {
    fprintf(f, "%5.2fit/s", rate);
  } else {
    fputs("?it/s", f);
  }
  putc(']', f);
}

/* What is in front of the bar and behind it. Nothing to count has no bar: "Fetching 0 files: 0it [00:00, ?it/s]". */
static void write_sides(const struct cli_progress *p, FILE *head, FILE *tail, double elapsed) {
  double done = (double)(p->counting ? p->files : p->bytes);
  double total = (double)(p->counting ? p->files_total : p->bytes_total);
  cli_write_escaped(head, p->title, strlen(p->title));
  if (p->counting && !p->files_total) {
    fputs(": 0it [", head);
    write_seconds(tail, elapsed);
    fputs(", ?it/s]", tail);
    return;
  }
  fprintf(head, ": %3.0f%%|", share_of(p) * 100);
  fputs("| ", tail);
  if (p->counting) {
    fprintf(tail, "%.0f/%.0f", done, total);
  } else {
    write_amount(tail, done);
    putc('/', tail);
    write_amount(tail, total);
  }
  write_rate(tail, done, total, elapsed, !p->counting);
  if (!p->counting || !p->terminal || !p->bytes) return;
  putc(' ', tail);
  write_amount(tail, (double)p->bytes);
  fputs("B, ", tail);
  write_amount(tail, elapsed > 0 ? (double)p->bytes / elapsed : 0);
  fputs("B/s", tail);
}

static void draw(struct cli_progress *p, bool last) {
  double at = now();
  if (!last && p->drawn > 0 && at - p->drawn < 0.1) return;
  if (!p->counting && !p->terminal) return;
  char *head = NULL, *tail = NULL;
  size_t head_len = 0, tail_len = 0;
  FILE *h = open_memstream(&head, &head_len), *t = open_memstream(&tail, &tail_len);
  if (h && t) write_sides(p, h, t, at - p->begun);
  bool ready = h && t;
  if (h) fclose(h);
  if (t) fclose(t);
  if (ready) {
    size_t width = terminal_width(p), used = cli_utf8_length(head, head_len) + cli_utf8_length(tail, tail_len);
    int cells = p->counting && !p->files_total ? 0 : !width ? 10 : width > used + 2 ? (int)(width - used - 1) : 1;
    fprintf(stderr, "\r%s", head);
    write_bar(stderr, share_of(p), cells);
    fputs(tail, stderr);
    used += (size_t)cells;
    for (size_t i = used; i < p->last_width; i++) putc(' ', stderr);
    if (last) putc('\n', stderr);
    p->last_width = last ? 0 : used;
    atomic_store(&shown, p->terminal && !last);
    p->drawn = at;
  }
  free(head);
  free(tail);
}

static void start(struct cli_progress *p, const char *title) {
  snprintf(p->title, sizeof p->title, "%.*s", (int)cli_utf8_prefix(title, strlen(title), 40), title);
  p->begun = now();
  p->drawn = 0;
}

/* Bytes of one file changed: the sum follows. */
static void file_event(struct cli_progress *p, const struct hf_event *e) {
  if (e->item >= p->items) {
    if (e->item > 4000000) return;
    uint32_t room = e->item + e->item / 2 + 16;
    uint64_t *grown = realloc(p->held, room * sizeof *grown);
    if (!grown) return;
    memset(grown + p->items, 0, (room - p->items) * sizeof *grown);
    p->held = grown;
    p->items = room;
  }
  if (e->type == HF_EV_BEGIN) {
    p->bytes_total += e->total;
    if (!p->counting && !p->begun) start(p, e->text ? e->text : "");
  }
  if (e->type == HF_EV_BEGIN || e->type == HF_EV_BYTES) {
    p->bytes += e->done - p->held[e->item];
    p->held[e->item] = e->done;
    if (!p->bytes_total && e->total) p->bytes_total = e->total;
  }
  draw(p, !p->counting && e->type == HF_EV_END);
}

void cli_progress_event(void *arg, const struct hf_event *e) {
  struct cli_progress *p = arg;
  if (!p) return;
  if (e->item != UINT32_MAX) {
    file_event(p, e);
    return;
  }
  if (e->type == HF_EV_BEGIN) {
    p->counting = true;
    p->files_total = e->total;
    start(p, e->text ? e->text : "");
  } else {
    p->files = e->done;
  }
  if (!p->counting) return;
  draw(p, e->type == HF_EV_END);
  if (e->type == HF_EV_END) p->counting = false;
}

void cli_progress_free(struct cli_progress *p) {
  if (!p) return;
  cli_progress_clear(p);
  free(p->held);
  free(p);
}
