/* listing.c - files and folders of a repository, flat or as a tree, in the four modes.
 * A folder is an item without a size. Names come from the server: what is not printable is escaped.
 * The tree is made by sorting paths; folders that no item names appear because a file lies in them. */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "pyvalue.h"
#include "unicode.h"

static bool is_folder(const json_t *item) {
  return !json_object_get(item, "size");
}

static const char *path_of(const json_t *item) {
  const char *path = json_string_value(json_object_get(item, "path"));
  return path ? path : "";
}

static void format_size(const struct cli_out *out, const json_t *item, char *buf, size_t len) {
  json_int_t size = json_integer_value(json_object_get(item, "size"));
  if (!cli_layout_flag(out, "human_readable")) {
    snprintf(buf, len, "%" JSON_INTEGER_FORMAT, size);
    return;
  }
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
  double value = (double)size;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++, value /= 1000) {
    if (value >= 1000) continue;
    if (!i)
      snprintf(buf, len, "%" JSON_INTEGER_FORMAT " B", size);
    else
      snprintf(buf, len, "%.1f %s", value, units[i]);
    return;
  }
  snprintf(buf, len, "%.1f PB", value);
}

static void format_date(const struct cli_out *out, const json_t *item, char *buf, size_t len) {
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const char *date = json_string_value(json_object_get(item, "mtime"));
  if (!date) date = json_string_value(json_object_get(item, "uploaded_at"));
  if (!date) date = json_string_value(json_object_get(json_object_get(item, "last_commit"), "date"));
  unsigned year, month, day, hour, minute, second;
  buf[0] = 0;
  if (!date || sscanf(date, "%4u-%2u-%2uT%2u:%2u:%2u", &year, &month, &day, &hour, &minute, &second) != 6) return;
  if (month < 1 || month > 12) return;
  if (cli_layout_flag(out, "human_readable"))
    snprintf(buf, len, "%s %02u %02u:%02u", months[month - 1], day, hour, minute);
  else
    snprintf(buf, len, "%04u-%02u-%02u %02u:%02u:%02u", year, month, day, hour, minute, second);
}

static void write_path(const json_t *item) {
  const char *path = path_of(item);
  cli_write_escaped(stdout, path, strlen(path));
  puts(is_folder(item) ? "/" : "");
}

static void write_flat(const struct cli_out *out) {
  char size[32], date[32];
  json_t *item;
  size_t i;
  json_array_foreach(out->items, i, item) {
    size[0] = 0;
    if (!is_folder(item)) format_size(out, item, size, sizeof size);
    format_date(out, item, date, sizeof date);
    printf("%12s  %19s  ", size, date);
    write_path(item);
  }
}

/* ---- tree --------------------------------------------------------------------------------------------------------------- */

struct tree {
  const struct cli_out *out;
  const json_t **items; /* by path, "/" before every other character */
  size_t count;
  int size_width, prefix_width;
};

static int by_path(const void *a, const void *b) {
  const unsigned char *x = (const unsigned char *)path_of(*(const json_t *const *)a);
  const unsigned char *y = (const unsigned char *)path_of(*(const json_t *const *)b);
  while (*x && *x == *y) {
    x++;
    y++;
  }
  int cx = *x == '/' ? 1 : *x ? *x + 1 : 0, cy = *y == '/' ? 1 : *y ? *y + 1 : 0;
  return cx - cy;
}

static void write_prefix(const struct tree *t, const json_t *item, bool folder) {
  char size[32], date[32];
  if (!t->prefix_width) return;
  if (folder || !item) {
    printf("%*s  ", t->prefix_width, "");
    return;
  }
  format_size(t->out, item, size, sizeof size);
  format_date(t->out, item, date, sizeof date);
  printf("%*s  %s  ", t->size_width, size, date);
}

enum { DEEPEST = 200 }; /* what lies deeper is shown with its whole path */

/* Writes the entries [from, to) that share the first `skip` bytes of their paths. */
static void write_level(const struct tree *t, size_t from, size_t to, size_t skip, const char *indent, int depth) {
  bool unicode = t->out->unicode;
  while (from < to) {
    const char *name = path_of(t->items[from]) + skip;
    size_t len = depth < DEEPEST ? strcspn(name, "/") : strlen(name), end = from + 1;
    while (end < to) {
      const char *other = path_of(t->items[end]) + skip;
      if (strncmp(other, name, len) || (other[len] && other[len] != '/')) break;
      end++;
    }
    bool last = end == to, folder = end > from + 1 || name[len] || is_folder(t->items[from]);
    write_prefix(t, t->items[from], folder);
    fputs(indent, stdout);
    fputs(last ? (unicode ? "└── " : "`-- ") : (unicode ? "├── " : "|-- "), stdout);
    cli_write_escaped(stdout, name, len);
    puts(folder ? "/" : "");
    size_t inside = name[len] ? from : from + 1; /* the folder's own item comes first */
    char *deeper = NULL;
    if (inside < end && depth < DEEPEST &&
        asprintf(&deeper, "%s%s", indent,
                 last      ? "    "
                 : unicode ? "│   "
                           : "|   ") >= 0) {
      write_level(t, inside, end, skip + len + 1, deeper, depth + 1);
      free(deeper);
    }
    from = end;
  }
}

static void write_tree(const struct cli_out *out) {
  struct tree t = {.out = out, .count = json_array_size(out->items)};
  char text[32];
  int date_width = 0;
  t.items = calloc(t.count + 1, sizeof *t.items);
  if (!t.items) return;
  for (size_t i = 0; i < t.count; i++) {
    const json_t *item = t.items[i] = json_array_get(out->items, i);
    if (is_folder(item)) continue;
    format_size(out, item, text, sizeof text);
    if ((int)strlen(text) > t.size_width) t.size_width = (int)strlen(text);
    format_date(out, item, text, sizeof text);
    if ((int)strlen(text) > date_width) date_width = (int)strlen(text);
  }
  if (t.size_width && out->mode != CLI_QUIET) t.prefix_width = t.size_width + 2 + date_width;
  qsort(t.items, t.count, sizeof *t.items, by_path);
  write_level(&t, 0, t.count, 0, "", 0);
  free(t.items);
}

void cli_listing_write(struct cli_out *out) {
  json_t *item;
  size_t i;
  bool folders = false;
  if (!json_array_size(out->items)) {
    if (out->mode == CLI_HUMAN || out->mode == CLI_AGENT) puts("(empty)");
    return;
  }
  json_array_foreach(out->items, i, item) folders = folders || is_folder(item);
  if (cli_layout_flag(out, "tree")) {
    write_tree(out);
  } else if (out->mode == CLI_JSON) {
    cli_write_json(stdout, out->items, 2);
    putchar('\n');
  } else if (out->mode == CLI_QUIET) {
    json_array_foreach(out->items, i, item) write_path(item);
  } else {
    write_flat(out);
  }
  if (!cli_layout_flag(out, "recursive") && folders) cli_out_hint(out, "Use -R to list files recursively.");
}
