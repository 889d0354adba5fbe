/* out.c - the primitives of output: results, dictionaries, texts, hints, warnings, errors, in each of the four modes.
 * What goes where, in which spelling, is the contract with scripts; docs/records.md lists it by record.
 * Nothing here depends on whether stdout is a terminal. */
#include "out.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pyvalue.h"
#include "unicode.h"

#define GREEN  "\033[32m"
#define RED    "\033[1m\033[31m"
#define YELLOW "\033[33m"
#define GRAY   "\033[90m"
#define RESET  "\033[0m"

/* Can stdout's character set spell check marks and branches? Only a locale that is installed and names another one says
 * no; the plain C locale counts as UTF-8. */
static bool speaks_unicode(void) {
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *value = NULL, *set;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !(value && *value); i++) value = getenv(names[i]);
  if (!value || !(set = strchr(value, '.')) || !strncasecmp(set, ".utf", 4)) return true;
  locale_t locale = newlocale(LC_CTYPE_MASK, value, (locale_t)0);
  if (!locale) return true;
  const char *codes = nl_langinfo_l(CODESET, locale);
  bool yes = !strcmp(codes, "UTF-8") || !strcmp(codes, "ANSI_X3.4-1968");
  freelocale(locale);
  return yes;
}

struct cli_out *cli_out_new(enum cli_mode mode, bool no_truncate) {
  struct cli_out *out = calloc(1, sizeof *out);
  if (!out) return NULL;
  out->no_truncate = no_truncate;
  out->unicode = speaks_unicode();
  out->items = json_array();
  cli_out_mode(out, mode);
  return out;
}

void cli_out_mode(struct cli_out *out, enum cli_mode mode) {
  const char *plain = getenv("NO_COLOR");
  out->mode = mode;
  out->colour = mode == CLI_HUMAN && !(plain && *plain);
}

void cli_out_task(struct cli_out *out, const struct hf_task *task) {
  out->task = task;
}

void cli_out_watch(struct cli_out *out, struct cli_progress *progress) {
  out->progress = progress;
}

bool cli_out_broken(const struct cli_out *out) {
  return out->broken;
}

void cli_out_free(struct cli_out *out) {
  if (!out) return;
  json_decref(out->items);
  json_decref(out->layout);
  free(out->message);
  free(out);
}

/* What has been written goes out now; the first reason why it could not is kept. */
static void flush(struct cli_out *out) {
  errno = 0;
  if ((fflush(stdout) || ferror(stdout)) && !out->write_errno) out->write_errno = errno ? errno : EIO;
}

int cli_out_end(struct cli_out *out) {
  flush(out);
  return out->write_errno;
}

const char *cli_layout_text(const struct cli_out *out, const char *member) {
  return json_string_value(json_object_get(out->layout, member));
}

bool cli_layout_flag(const struct cli_out *out, const char *member) {
  return json_is_true(json_object_get(out->layout, member));
}

void cli_out_line(struct cli_out *out, const char *colour, const char *label, const char *text) {
  flush(out);
  cli_progress_clear(out->progress);
  bool painted = out->colour && colour;
  if (painted) fputs(colour, stderr);
  fputs(label, stderr);
  cli_write_message(stderr, text);
  fputs(painted ? RESET "\n" : "\n", stderr);
}

void cli_out_error(struct cli_out *out, const char *message) {
  cli_out_line(out, RED, "Error: ", message);
}

bool cli_out_wants_json(const struct cli_out *out) {
  return out->mode == CLI_JSON;
}

void cli_out_json_error(struct cli_out *out, const struct hf_error *e, const char *message) {
  json_t *about = json_pack("{s:s,s:s}", "class", e->cls ? e->cls : hf_status_name(e->code), "message", message);
  if (about && e->http_status) json_object_set_new(about, "status", json_integer(e->http_status));
  json_t *doc = json_pack("{s:o}", "error", about);
  char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
  json_decref(doc);
  cli_out_line(out, NULL, "", text ? text : "{\"error\":{\"class\":\"MemoryError\",\"message\":\"out of memory\"}}");
  free(text);
}

void cli_out_warning(struct cli_out *out, const char *message) {
  cli_out_line(out, YELLOW, "Warning: ", message);
}

void cli_out_hint(struct cli_out *out, const char *message) {
  if (out->mode != CLI_QUIET) cli_out_line(out, GRAY, "Hint: ", message);
}

static void write_text(struct cli_out *out, const char *text, size_t len) {
  if (out->mode == CLI_HUMAN)
    fwrite(text, 1, len, stdout);
  else if (out->mode == CLI_AGENT)
    cli_write_plain(stdout, text, len);
  else
    return;
  putchar('\n');
}

static void write_result(struct cli_out *out, const json_t *data) {
  const char *key, *message = out->message ? out->message : "";
  json_t *value;
  size_t n = 0;
  switch (out->mode) {
    case CLI_HUMAN:
      printf("%s%s %s%s", out->colour ? GREEN : "", out->unicode ? "✓" : "[OK]", message, out->colour ? RESET : "");
      json_object_foreach((json_t *)data, key, value) {
        if (json_is_null(value)) continue;
        printf("\n  %s: ", key);
        cli_write_str(stdout, value);
      }
      putchar('\n');
      break;
    case CLI_AGENT:
      json_object_foreach((json_t *)data, key, value) {
        if (json_is_null(value)) continue;
        printf("%s%s=", n++ ? " " : "", key);
        cli_write_str(stdout, value);
      }
      if (!n) fputs(message, stdout);
      putchar('\n');
      break;
    case CLI_JSON:
      if (json_object_size(data)) cli_write_json(stdout, data, 0);
      putchar('\n');
      break;
    case CLI_QUIET:
      json_object_foreach((json_t *)data, key, value) {
        cli_write_str(stdout, value);
        putchar('\n');
        break;
      }
      break;
  }
  free(out->message);
  out->message = NULL;
}

static void write_dict(struct cli_out *out, const json_t *data) {
  const char *id = cli_layout_text(out, "id_key");
  if (!id && !out->layout) id = out->task && !out->task->columns.count ? out->task->id_key : NULL;
  if (out->mode == CLI_QUIET && id) {
    json_t *value = json_object_get(data, id);
    if (value) cli_write_str(stdout, value);
  } else {
    cli_write_json(stdout, data, out->mode == CLI_HUMAN ? 2 : 0);
  }
  putchar('\n');
}

static void end_table(struct cli_out *out) {
  const char *kind = cli_layout_text(out, "kind");
  if (kind && !strcmp(kind, "listing"))
    cli_listing_write(out);
  else
    cli_table_write(out);
  json_array_clear(out->items);
  json_decref(out->layout);
  out->layout = NULL;
  out->streamed = 0;
}

static bool want_object(uint32_t what) {
  return what == HF_OUT_ITEM || what == HF_OUT_RESULT || what == HF_OUT_DICT || what == HF_OUT_LAYOUT ||
         what == HF_OUT_TABLE_END;
}

static void render(struct cli_out *out, uint32_t what, json_t *value) {
  const char *text = json_string_value(value);
  size_t len = text ? json_string_length(value) : 0;
  switch (what) {
    case HF_OUT_ITEM:
      json_array_append(out->items, value);
      if (!out->task || !(out->task->flags & HF_TK_STREAMS) || !cli_table_stream(out)) return;
      break;
    case HF_OUT_TABLE_END: end_table(out); break;
    case HF_OUT_LAYOUT:
      json_decref(out->layout);
      out->layout = json_incref(value);
      return;
    case HF_OUT_MESSAGE:
      free(out->message);
      out->message = strdup(text);
      return;
    case HF_OUT_RESULT: write_result(out, value); break;
    case HF_OUT_DICT: write_dict(out, value); break;
    case HF_OUT_TEXT: write_text(out, text, len); break;
    case HF_OUT_RAW:
      fwrite(text, 1, len, stdout);
      putchar('\n');
      break;
    case HF_OUT_HINT: cli_out_hint(out, text); break;
    case HF_OUT_WARNING: cli_out_warning(out, text); break;
    case HF_OUT_NOTE:
      if (out->mode != CLI_QUIET) cli_out_line(out, GRAY, "", text);
      break;
    case HF_OUT_LOG: cli_out_line(out, NULL, "", text); break;
    default: return;
  }
  flush(out);
}

int32_t cli_out_record(void *arg, uint32_t what, const char *json, size_t len) {
  struct cli_out *out = arg;
  if (what != HF_OUT_ITEM && what != HF_OUT_LAYOUT && what != HF_OUT_MESSAGE) cli_progress_clear(out->progress);
  if (what == HF_OUT_BYTES) {
    errno = 0;
    if (fwrite(json, 1, len, stdout) != len && !out->write_errno) out->write_errno = errno ? errno : EIO;
    flush(out);
    return out->write_errno;
  }
  if (what < HF_OUT_ITEM || what > HF_OUT_NOTE) return 0; /* a newer kind: not for this program */
  json_error_t why;
  json_t *value = json_loadb(json, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
  if (!value || (want_object(what) ? !json_is_object(value) : !json_is_string(value))) {
    json_decref(value);
    out->broken = true;
    return 1;
  }
  render(out, what, value);
  json_decref(value);
  return out->write_errno;
}
