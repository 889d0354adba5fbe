/* table.c - items as a table: padded columns for people, tab-separated lines for agents, an array for programs, one
 * identifier per line for scripts.
 * Columns come from the layout, the row, or the first item's keys, in this order. */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "pyvalue.h"
#include "unicode.h"
#include "wrap.h"

struct column {
  const char *key, *title; /* title NULL: from the key */
  char *header;            /* as shown to people */
  size_t width, least;
  bool right;
};
struct table {
  struct cli_out *out;
  struct column *columns;
  size_t columns_count, rows;
  char **cells; /* rows x columns, as shown to people */
};

static bool flat(const char *key) {
  return !strchr(key, '.');
}

/* item["a.b"], else item["a"]["b"]. */
static const json_t *cell(const json_t *item, const char *key) {
  const json_t *value = json_object_get(item, key);
  while (!value && !flat(key)) {
    char part[128];
    size_t len = strcspn(key, ".");
    if (len >= sizeof part) return NULL;
    memcpy(part, key, len);
    part[len] = 0;
    item = json_object_get(item, part);
    key += len + 1;
    if (flat(key)) return json_object_get(item, key);
  }
  return value;
}

static bool add_column(struct table *t, const char *key, const char *title) {
  struct column *grown = realloc(t->columns, (t->columns_count + 1) * sizeof *grown);
  if (!grown) return false;
  t->columns = grown;
  grown[t->columns_count++] = (struct column){.key = key, .title = title};
  return true;
}

static void find_columns(struct table *t) {
  const json_t *headers = json_object_get(t->out->layout, "headers");
  const struct hf_task *task = t->out->task;
  json_t *one;
  const char *key;
  size_t i;
  if (headers) {
    json_array_foreach((json_t *)headers, i, one) if (json_is_string(one)) add_column(t, json_string_value(one), NULL);
    return;
  }
  if (!t->out->layout && task && task->columns.count) {
    for (uint32_t k = 0; k < task->columns.count; k++) {
      const struct hf_column *c = (const void *)((const char *)task->columns.rows + (size_t)k * task->columns.stride);
      add_column(t, c->pointer ? c->pointer : c->title, c->title);
    }
    return;
  }
  json_object_foreach(json_array_get(t->out->items, 0), key, one) {
    bool any = false;
    json_t *item;
    json_array_foreach(t->out->items, i, item) {
      json_t *value = json_object_get(item, key);
      if (value && !json_is_null(value)) any = true;
      if (any) break;
    }
    if (any) add_column(t, key, NULL);
  }
}

/* ---- quiet, agent, json ------------------------------------------------------------------------------------------------ */

static void write_ids(struct table *t) {
  const char *key = cli_layout_text(t->out, "id_key");
  if (!key && !t->out->layout && t->out->task) key = t->out->task->id_key;
  if (!key) {
    find_columns(t);
    key = t->columns_count ? t->columns[0].key : "";
  }
  json_t *item;
  size_t i, len;
  json_array_foreach(t->out->items, i, item) {
    const json_t *value = cell(item, key);
    char *text = NULL;
    FILE *m = open_memstream(&text, &len);
    if (!m) return;
    if (value) cli_write_str(m, value);
    fclose(m);
    cli_write_escaped(stdout, text, len);
    putchar('\n');
    free(text);
  }
}

static void write_lines(struct table *t) {
  find_columns(t);
  for (size_t c = 0; c < t->columns_count && !t->out->streamed; c++)
    printf("%s%s", c ? "\t" : "", t->columns[c].title ? t->columns[c].title : t->columns[c].key);
  if (!t->out->streamed) putchar('\n');
  json_t *item;
  size_t i, len;
  json_array_foreach(t->out->items, i, item) {
    for (size_t c = 0; c < t->columns_count; c++) {
      const json_t *value = cell(item, t->columns[c].key);
      char *text = NULL;
      FILE *m = open_memstream(&text, &len);
      if (!m) return;
      if (value)
        cli_write_str(m, value);
      else
        fputs("None", m);
      fclose(m);
      if (c) putchar('\t');
      cli_write_single_line(stdout, text, len);
      free(text);
    }
    putchar('\n');
  }
}

/* ---- human ---------------------------------------------------------------------------------------------------------------- */

static bool is_moment(const char *s) {
  static const char form[] = "dddd-dd-ddT";
  for (size_t i = 0; form[i]; i++)
    if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i]) return false;
  return true;
}

static void write_human(struct cli_out *out, FILE *f, const json_t *value) {
  const json_t *name;
  json_t *one;
  size_t i, len;
  char *text = NULL;
  FILE *m;
  switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
    case JSON_FALSE: return;
    case JSON_TRUE: fputs(out->unicode ? "✔" : "yes", f); return;
    case JSON_STRING:
      if (is_moment(json_string_value(value)))
        fwrite(json_string_value(value), 1, 10, f);
      else
        cli_write_single_line(f, json_string_value(value), json_string_length(value));
      return;
    case JSON_ARRAY:
      json_array_foreach((json_t *)value, i, one) {
        if (i) fputs(", ", f);
        write_human(out, f, one);
      }
      return;
    default: break;
  }
  m = open_memstream(&text, &len);
  if (!m) return;
  name = json_object_get(value, "name");
  if (name)
    cli_write_str(m, name);
  else if (json_is_object(value))
    cli_write_json(m, value, 0);
  else
    cli_write_str(m, value);
  fclose(m);
  cli_write_single_line(f, text, len);
  free(text);
}

static char *screaming(const char *key) {
  char *text = malloc(2 * strlen(key) + 1);
  size_t n = 0;
  if (!text) return NULL;
  for (const char *c = key; *c; c++) {
    bool upper = *c >= 'A' && *c <= 'Z', lower = *c >= 'a' && *c <= 'z';
    if (upper && c > key && c[-1] >= 'a' && c[-1] <= 'z') text[n++] = '_';
    text[n++] = lower ? (char)(*c - 32) : *c;
  }
  text[n] = 0;
  return text;
}

static bool is_numeric(struct table *t, const char *key) {
  json_t *item;
  size_t i;
  json_array_foreach(t->out->items, i, item) {
    const json_t *value = cell(item, key);
    if (value && !json_is_null(value) && !json_is_number(value)) return false;
  }
  return true;
}

static bool fill_cells(struct table *t) {
  const json_t *titles = json_object_get(t->out->layout, "titles"), *aligns = json_object_get(t->out->layout, "align");
  t->rows = json_array_size(t->out->items);
  t->cells = calloc(t->rows * t->columns_count + 1, sizeof *t->cells);
  if (!t->cells) return false;
  for (size_t c = 0; c < t->columns_count; c++) {
    struct column *column = &t->columns[c];
    const char *title = json_string_value(json_object_get(titles, column->key));
    const char *align = json_string_value(json_object_get(aligns, column->key));
    column->header = title ? strdup(title) : screaming(column->title ? column->title : column->key);
    if (!column->header) return false;
    column->right = align ? !strcmp(align, "right") : is_numeric(t, column->key);
    column->width = cli_utf8_length(column->header, strlen(column->header));
    column->least = column->width > 4 ? column->width : 4;
    for (size_t r = 0; r < t->rows; r++) {
      size_t len;
      FILE *m = open_memstream(&t->cells[r * t->columns_count + c], &len);
      if (!m) return false;
      write_human(t->out, m, cell(json_array_get(t->out->items, r), column->key));
      fclose(m);
      size_t width = cli_utf8_length(t->cells[r * t->columns_count + c], len);
      if (width > column->width) column->width = width;
    }
  }
  return true;
}

/* Narrows the widest column until the table fits the terminal; true: cells were cut. */
static bool fit(struct table *t) {
  size_t gaps = t->columns_count ? t->columns_count - 1 : 0, room = cli_terminal_columns(), sum = 0;
  if (t->out->no_truncate || cli_layout_flag(t->out, "whole") || !t->rows) return false;
  for (size_t c = 0; c < t->columns_count; c++) sum += t->columns[c].width;
  while (sum + gaps > room) {
    struct column *widest = NULL;
    for (size_t c = 0; c < t->columns_count; c++) {
      struct column *column = &t->columns[c];
      if (column->width > column->least && (!widest || column->width > widest->width)) widest = column;
    }
    if (!widest) break;
    widest->width--;
    sum--;
  }
  bool cut = false;
  for (size_t r = 0; r < t->rows; r++)
    for (size_t c = 0; c < t->columns_count; c++) {
      char *text = t->cells[r * t->columns_count + c];
      size_t len = strlen(text);
      if (cli_utf8_length(text, len) <= t->columns[c].width) continue;
      memcpy(text + cli_utf8_prefix(text, len, t->columns[c].width - 3), "...", 4);
      cut = true;
    }
  return cut;
}

static void write_cell(const struct table *t, size_t c, const char *text) {
  size_t n = cli_utf8_length(text, strlen(text));
  int pad = n < t->columns[c].width ? (int)(t->columns[c].width - n) : 0;
  if (c) putchar(' ');
  if (t->columns[c].right)
    printf("%*s%s", pad, "", text);
  else
    printf("%s%*s", text, pad, "");
}

static void write_padded(struct table *t) {
  find_columns(t);
  if (!fill_cells(t)) return;
  bool cut = fit(t);
  /* after cutting, a column is as wide as its widest cell */
  for (size_t c = 0; c < t->columns_count; c++) {
    size_t width = cli_utf8_length(t->columns[c].header, strlen(t->columns[c].header));
    for (size_t r = 0; r < t->rows; r++) {
      const char *text = t->cells[r * t->columns_count + c];
      size_t n = cli_utf8_length(text, strlen(text));
      if (n > width) width = n;
    }
    t->columns[c].width = width;
  }
  for (size_t c = 0; c < t->columns_count; c++) write_cell(t, c, t->columns[c].header);
  putchar('\n');
  for (size_t c = 0; c < t->columns_count; c++) {
    if (c) putchar(' ');
    for (size_t i = 0; i < t->columns[c].width; i++) putchar('-');
  }
  putchar('\n');
  for (size_t r = 0; r < t->rows; r++) {
    for (size_t c = 0; c < t->columns_count; c++) write_cell(t, c, t->cells[r * t->columns_count + c]);
    putchar('\n');
  }
  if (cut) cli_out_hint(t->out, "Use `--no-truncate` or `--format json` to display full values.");
}

static void free_table(struct table *t) {
  for (size_t i = 0; t->cells && i < t->rows * t->columns_count; i++) free(t->cells[i]);
  for (size_t c = 0; c < t->columns_count; c++) free(t->columns[c].header);
  free(t->cells);
  free(t->columns);
}

bool cli_table_stream(struct cli_out *out) {
  struct table t = {.out = out};
  if (out->mode == CLI_HUMAN) return false;
  if (out->mode == CLI_JSON) {
    fputs(out->streamed ? ", " : "[", stdout);
    cli_write_json(stdout, json_array_get(out->items, 0), 0);
  } else if (out->mode == CLI_QUIET) {
    write_ids(&t);
  } else {
    write_lines(&t);
  }
  free_table(&t);
  json_array_clear(out->items);
  out->streamed++;
  return true;
}

void cli_table_write(struct cli_out *out) {
  struct table t = {.out = out};
  size_t items = json_array_size(out->items);
  if (out->streamed) {
    if (out->mode == CLI_JSON) puts("]");
  } else if (out->mode == CLI_JSON) {
    cli_write_json(stdout, out->items, 0);
    putchar('\n');
  } else if (!items) {
    if (out->mode != CLI_QUIET) puts("No results found.");
  } else if (out->mode == CLI_QUIET) {
    write_ids(&t);
  } else if (out->mode == CLI_AGENT) {
    write_lines(&t);
  } else {
    write_padded(&t);
  }
  free_table(&t);
}
