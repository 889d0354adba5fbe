/* attach.c - the text of a message: from --body or --body-file, with the files of --attach uploaded and put into it.
 * A reference ![words](FILE) in the text becomes the uploaded file, files that are not referred to follow the text.
 * All files are looked at before the first one is sent. */
#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTACHED_MOST = 100, BODY_MOST = 16 << 20 };

static const struct {
  const char *suffix, *type;
} formats[] = {{".png", "image/png"},   {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"},     {".gif", "image/gif"},
               {".webp", "image/webp"}, {".mp4", "video/mp4"},  {".mov", "video/quicktime"}, {".webm", "video/webm"},
               {".mp3", "audio/mpeg"},  {".wav", "audio/wav"}};

struct attached {
  const char *path, *alt, *type, *url; /* path: resolved */
  bool referred;
};

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static hf_status read_text(hf_call *c, const char *name, const char **text) {
  FILE *f = !strcmp(name, "-") ? stdin : fopen(name, "re");
  if (!f) return hf_hub_fail(c, HF_EIO, "OSError", "[Errno %d] %s: '%s'", errno, strerror(errno), name);
  size_t room = 4096, n = 0;
  char *data = malloc(room + 1);
  while (data && !feof(f) && !ferror(f)) {
    if (n == room) {
      char *grown = room < BODY_MOST ? realloc(data, (room *= 2) + 1) : NULL;
      if (!grown) break;
      data = grown;
    }
    n += fread(data + n, 1, room - n, f);
  }
  bool whole = data && feof(f) && !ferror(f);
  if (f != stdin) fclose(f);
  if (whole) *text = hf_host()->intern(c, data, n);
  free(data);
  if (!whole) return hf_hub_fail(c, HF_EIO, NULL, "'%s' cannot be read as a message; it may have 16 MiB.", name);
  if (!*text) return HF_ENOMEM;
  return strlen(*text) == n ? HF_OK
                            : hf_hub_fail(c, HF_EINVAL, "ValueError", "'%s' holds a NUL; a message is text.", name);
}

static const char *format_of(const char *path, const char **suffix) {
  const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash + 1 : path, '.');
  *suffix = dot;
  for (size_t i = 0; dot && i < HF_COUNT(formats); i++)
    if (!strcasecmp(dot, formats[i].suffix)) return formats[i].type;
  return NULL;
}

static const char *resolved(hf_call *c, const char *path) {
  char *real = realpath(path, NULL);
  const char *kept = real ? hf_host()->intern(c, real, SIZE_MAX) : path;
  free(real);
  return kept;
}

static bool is_file(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static hf_status choose(hf_call *c, const char *value, struct attached *all, uint32_t *count) {
  const char *file = value, *alt = "", *suffix;
  if (!is_file(value) && strchr(value, '#')) {
    file = hf_host()->intern(c, value, strcspn(value, "#"));
    alt = strchr(value, '#') + 1;
  }
  const char *path = file ? resolved(c, file) : NULL, *type = path ? format_of(path, &suffix) : NULL;
  if (!path) return HF_ENOMEM;
  if (!is_file(path)) return hf_hub_refuse(c, "Attachment not found: '%s'.", file);
  if (!type) {
    const char *names = "";
    for (size_t i = 0; names && i < HF_COUNT(formats); i++)
      names = hf_hub_text(c, "%s%s%s", names, i ? ", " : "", formats[i].suffix);
    return hf_hub_refuse(c, "Cannot attach '%s': supported formats are %s.", file, names ? names : "");
  }
  if (!*alt) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    alt = hf_host()->intern(c, name, (size_t)(suffix - name));
    if (!alt) return HF_ENOMEM;
  }
  uint32_t at = 0;
  while (at < *count && strcmp(all[at].path, path) != 0) at++;
  if (at == ATTACHED_MOST) return hf_hub_refuse(c, "At most %d files can be attached.", ATTACHED_MOST);
  if (at == *count) ++*count;
  all[at] = (struct attached){.path = path, .alt = alt, .type = type};
  return HF_OK;
}

static hf_status send(struct hf_hub *hub, struct attached *a) {
  hf_call *c = hub->call;
  struct hf_source *source;
  struct hf_http_resp resp;
  const char *url = hf_hub_text(c, "%s/uploads", hub->endpoint);
  if (!url) return HF_ENOMEM;
  TRY(hf_source_file(c, a->path, 0, NULL, &source, NULL));
  hf_status st = hf_hub_send(
      hub, &(struct hf_hub_req){.method = "POST", .url = url, .tries = 1, .type = a->type, .source = source}, &resp);
  source->close(source);
  TRY(st);
  const char *text = hf_host()->intern(c, resp.body ? resp.body : "", resp.body_len);
  if (!text) return HF_ENOMEM;
  text += strspn(text, " \t\r\n");
  a->url = hf_host()->intern(c, text, strcspn(text, " \t\r\n"));
  return a->url ? HF_OK : HF_ENOMEM;
}

/* ---- putting them into the text ----------------------------------------------------------------------------------------- */

/* As the Hub's own editor writes it. */
static const char *markdown(hf_call *c, const struct attached *a, const char *alt) {
  if (!strncmp(a->type, "image/", 6)) return hf_hub_text(c, "![%s](%s)", alt, a->url);
  if (!strncmp(a->type, "audio/", 6)) return hf_hub_text(c, "<audio controls src=\"%s\"></audio>", a->url);
  return a->url;
}

/* What may follow the file in `![words](FILE`; the end of it, or NULL. */
static const char *tail(const char *s) {
  for (int bracket = *s == '>'; bracket >= 0; bracket--) {
    const char *p = s + bracket;
    size_t blanks = strspn(p, " \t\n\r\v\f");
    if (blanks && p[blanks] == '"') {
      const char *end = strchr(p + blanks + 1, '"');
      if (end && end[1] == ')') return end + 2;
    }
    if (*p == ')') return p + 1;
  }
  return NULL;
}

/* "![words](FILE)" at s: its parts and its end; NULL: none. */
static const char *reference(const char *s, size_t *alt_len, const char **file, size_t *file_len) {
  if (strncmp(s, "![", 2) != 0) return NULL;
  *alt_len = strcspn(s + 2, "]");
  const char *p = s + 2 + *alt_len;
  if (strncmp(p, "](", 2) != 0) return NULL;
  p += 2;
  p += *p == '<';
  *file = p;
  while (*p && !strchr(")<>\n", *p)) {
    if (*p == '(') {
      size_t n = strcspn(p + 1, "()<>\n");
      if (p[1 + n] != ')') return NULL;
      p += n + 2;
    } else {
      p++;
    }
    const char *end = tail(p);
    *file_len = (size_t)(p - *file);
    if (end) return end;
  }
  return NULL;
}

static int digit(char ch) {
  if (ch >= '0' && ch <= '9') return ch - '0';
  if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
  return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static const char *unquoted(hf_call *c, const char *text, size_t len) {
  char *out = hf_host()->arena(c, len + 1);
  size_t n = 0;
  for (size_t i = 0; out && i < len; i++) {
    if (text[i] == '%' && i + 2 < len && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out[n++] = (char)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out[n++] = text[i];
    }
  }
  if (out) out[n] = 0;
  return out;
}

static hf_status put(hf_call *c, FILE *m, const char *body, struct attached *all, uint32_t count) {
  size_t alt_len, file_len;
  const char *file;
  for (const char *s = body; *s;) {
    const char *end = reference(s, &alt_len, &file, &file_len);
    const char *name = end ? unquoted(c, file, file_len) : NULL, *path = name ? resolved(c, name) : NULL;
    uint32_t at = 0;
    while (path && at < count && strcmp(all[at].path, path) != 0) at++;
    if (!path || at == count) {
      fputc(*s++, m);
      continue;
    }
    const char *alt = hf_host()->intern(c, s + 2, alt_len), *made = alt ? markdown(c, &all[at], alt) : NULL;
    if (!made) return HF_ENOMEM;
    all[at].referred = true;
    fputs(made, m);
    s = end;
  }
  return HF_OK;
}

static hf_status compose(hf_call *c, const char **body, struct attached *all, uint32_t count) {
  char *text = NULL;
  size_t len = 0;
  FILE *m = open_memstream(&text, &len);
  hf_status st = m ? put(c, m, *body, all, count) : HF_ENOMEM;
  if (m) fclose(m);
  size_t n = text ? len : 0;
  const char *at = text ? text + strspn(text, " \t\n\r\v\f") : "";
  n -= text ? (size_t)(at - text) : 0;
  while (n && strchr(" \t\n\r\v\f", at[n - 1])) n--;
  *body = st == HF_OK ? hf_host()->intern(c, at, n) : NULL;
  free(text);
  for (uint32_t i = 0; *body && i < count; i++) {
    if (all[i].referred) continue;
    const char *made = markdown(c, &all[i], all[i].alt);
    *body = made ? hf_hub_text(c, "%s%s%s", *body, **body ? "\n\n" : "", made) : NULL;
  }
  return *body ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_message(struct hf_hub *hub, const hf_args *args, const char **body) {
  hf_call *c = hub->call;
  const char *text = hf_hub_arg(args, "body"), *file = hf_hub_arg(args, "body_file");
  uint32_t given = hf_host()->arg_count(args, "attach"), count = 0;
  if (text && file) return hf_hub_bad_value(c, "Cannot use both --body and --body-file.");
  if (file) TRY(read_text(c, file, &text));
  *body = text ? text : "";
  if (!given) return HF_OK;
  struct attached *all = hf_host()->arena(c, (ATTACHED_MOST + 1) * sizeof *all);
  if (!all) return HF_ENOMEM;
  for (uint32_t i = 0; i < given; i++) TRY(choose(c, hf_host()->arg_str(args, "attach", i), all, &count));
  for (uint32_t i = 0; i < count; i++) TRY(send(hub, &all[i]));
  return compose(c, body, all, count);
}
