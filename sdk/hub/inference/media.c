/* media.c - files, bytes and URLs on their way into a request: types by extension, base64, data: URLs, downloads.
 * A URL is fetched without credentials and its status is checked before anything is sent. Sizes are bounded.
 * Types are never guessed from content. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "infer.h"

/* ---- types ------------------------------------------------------------------------------------------------------------ */

static const struct {
  const char *suffix, *type; /* the first of a type names files */
} types[] = {
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".jpe", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".bmp", "image/bmp"},
    {".tif", "image/tiff"},
    {".tiff", "image/tiff"},
    {".svg", "image/svg+xml"},
    {".ico", "image/vnd.microsoft.icon"},
    {".avif", "image/avif"},
    {".heic", "image/heic"},
    {".mp3", "audio/mpeg"},
    {".wav", "audio/x-wav"},
    {".wav", "audio/wav"},
    {".wav", "audio/wave"},
    {".flac", "audio/flac"},
    {".flac", "audio/x-flac"},
    {".ogg", "audio/ogg"},
    {".opus", "audio/opus"},
    {".m4a", "audio/mp4"},
    {".aac", "audio/aac"},
    {".aif", "audio/x-aiff"},
    {".aiff", "audio/x-aiff"},
    {".au", "audio/basic"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".mov", "video/quicktime"},
    {".mpeg", "video/mpeg"},
    {".mpg", "video/mpeg"},
    {".avi", "video/x-msvideo"},
    {".pdf", "application/pdf"},
    {".json", "application/json"},
    {".txt", "text/plain"},
};

const char *inf_type_of(const char *path) {
  size_t end = strcspn(path, "?#");
  for (size_t i = 0; i < HF_COUNT(types); i++) {
    size_t n = strlen(types[i].suffix);
    if (end > n && !strncasecmp(path + end - n, types[i].suffix, n)) return types[i].type;
  }
  return NULL;
}

const char *inf_suffix_of(const char *type) {
  size_t n = type ? strcspn(type, "; ") : 0;
  for (size_t i = 0; n && i < HF_COUNT(types); i++)
    if (strlen(types[i].type) == n && !strncasecmp(types[i].type, type, n)) return types[i].suffix;
  return NULL;
}

/* ---- base64 -------------------------------------------------------------------------------------------------------------- */

char *inf_base64(const void *data, size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *in = data;
  char *out = len < SIZE_MAX / 2 ? malloc((len + 2) / 3 * 4 + 1) : NULL, *at = out;
  if (!out) return NULL;
  for (; len >= 3; in += 3, len -= 3) {
    *at++ = digits[in[0] >> 2];
    *at++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
    *at++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
    *at++ = digits[in[2] & 63];
  }
  if (len) {
    *at++ = digits[in[0] >> 2];
    *at++ = digits[(in[0] & 3) << 4 | (len == 2 ? in[1] >> 4 : 0)];
    *at++ = len == 2 ? digits[(in[1] & 15) << 2] : '=';
    *at++ = '=';
  }
  *at = 0;
  return out;
}

static int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool inf_unbase64(const char *text, size_t len, void **data, size_t *out_len) {
  unsigned char *out = malloc(len / 4 * 3 + 4);
  size_t n = 0, digits = 0, pads = 0;
  uint32_t bits = 0;
  *data = out;
  bool fine = out != NULL;
  for (size_t i = 0; fine && i < len; i++) {
    if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ') continue;
    if (text[i] == '=') {
      pads++;
      continue;
    }
    int d = digit(text[i]);
    fine = d >= 0 && !pads;
    bits = bits << 6 | (uint32_t)(d & 63);
    if (++digits % 4 == 0) {
      out[n++] = (unsigned char)(bits >> 16);
      out[n++] = (unsigned char)(bits >> 8);
      out[n++] = (unsigned char)bits;
    }
  }
  size_t rest = digits % 4;
  fine = fine && rest != 1 && pads <= 2;
  if (fine && rest >= 2) out[n++] = (unsigned char)(bits >> (rest == 2 ? 4 : 10));
  if (fine && rest == 3) out[n++] = (unsigned char)(bits >> 2);
  *out_len = n;
  if (!fine) free(out), *data = NULL;
  return fine;
}

hf_status inf_data_url(struct inf *f, const char *url, void **data, size_t *len, const char **type) {
  const char *comma = strchr(url, ',');
  *data = NULL;
  size_t head = comma ? (size_t)(comma - url) : 0;
  if (head < 12 || strncmp(comma - 7, ";base64", 7) || !inf_unbase64(comma + 1, strlen(comma + 1), data, len))
    return inf_fail(f, HF_EPROTO, "ValueError", "Invalid data URL format: %.40s...", url);
  *type = head > 12 ? hf_host()->intern(f->c, url + 5, head - 12) : NULL;
  return HF_OK;
}

/* ---- the input --------------------------------------------------------------------------------------------------------------- */

hf_status inf_media_name(struct inf *f, const char *argument, const char *text) {
  struct inf_media *m = &f->media;
  *m = (struct inf_media){.name = argument};
  if (inf_is_url(text) || !strncmp(text, "data:", 5)) {
    m->url = text;
    return HF_OK;
  }
  bool untyped = !strncmp(text, "@@", 2);
  const char *path = text + (untyped ? 2 : *text == '@');
  if (!untyped) m->type = inf_type_of(path);
  path = hf_hub_path(f->c, path);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  struct stat st;
  if (fd < 0 || fstat(fd, &st) || S_ISDIR(st.st_mode)) {
    if (fd >= 0) close(fd);
    return hf_hub_fail(f->c, errno == EACCES ? HF_EPERM : HF_ENOTFOUND, "FileNotFoundError",
                       "The file %s for '%s' cannot be read: %s.", path ? path : text, argument,
                       fd >= 0 ? "it is a folder" : strerror(errno));
  }
  size_t cap = st.st_size > 0 && (uint64_t)st.st_size <= INF_INPUT_MAX ? (size_t)st.st_size + 1 : 65536, n = 0;
  char *data = hf_host()->arena(f->c, cap);
  ssize_t got = 1;
  while (data && got > 0) {
    if (n == cap) {
      char *more = cap < INF_INPUT_MAX ? hf_host()->arena(f->c, cap * 2) : NULL;
      if (more) memcpy(more, data, n);
      data = more;
      cap *= 2;
      if (!data) break;
    }
    got = read(fd, data + n, cap - n);
    if (got > 0) n += (size_t)got;
  }
  close(fd);
  if (!data || got < 0)
    return hf_hub_fail(f->c, HF_EIO, NULL, "The file %s cannot be read or is larger than 256 MiB.", path);
  m->data = data;
  m->len = n;
  m->loaded = true;
  return HF_OK;
}

struct download {
  struct inf *f;
  char *data;
  size_t len, cap;
};

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct download *d = arg;
  if (len > INF_INPUT_MAX - d->len)
    return hf_hub_fail(c, HF_EPROTO, "ValueError", "The file at %s is larger than 256 MiB.", d->f->media.url);
  if (d->len + len > d->cap) {
    size_t cap = (d->len + len) * 2;
    char *more = hf_host()->arena(c, cap);
    if (!more) return HF_ENOMEM;
    if (d->len) memcpy(more, d->data, d->len);
    d->data = more;
    d->cap = cap;
  }
  memcpy(d->data + d->len, data, len);
  d->len += len;
  return HF_OK;
}

hf_status inf_media_load(struct inf *f) {
  struct inf_media *m = &f->media;
  if (m->loaded || !m->url) return HF_OK;
  m->loaded = true;
  if (!strncmp(m->url, "data:", 5)) {
    void *data;
    TRY(inf_data_url(f, m->url, &data, &m->len, &m->type));
    m->data = hf_host()->intern(f->c, data, m->len);
    free(data);
    return m->data ? HF_OK : HF_ENOMEM;
  }
  struct download d = {.f = f};
  struct hf_http_resp resp;
  TRY(inf_get_open(f, m->url, 0, on_data, &d, &resp));
  const char *type = hf_hub_header(&resp, "content-type");
  m->data = d.data ? d.data : "";
  m->len = d.len;
  m->type = type && *type ? type : inf_type_of(m->url);
  return HF_OK;
}

json_t *inf_media_json(struct inf *f, uint32_t how, const char *mime) {
  struct inf_media *m = &f->media;
  if (m->url && how != HF_PV_MEDIA_BASE64) return json_string(m->url);
  if (inf_media_load(f)) return NULL;
  char *text = inf_base64(m->data, m->len), *whole = text;
  const char *type = how == HF_PV_MEDIA_FORCED || !m->type ? mime : m->type;
  json_t *out = NULL;
  if (text && how == HF_PV_MEDIA_BASE64)
    out = json_stringn_nocheck(text, strlen(text));
  else if (text)
    out = json_sprintf("data:%s;base64,%s", type ? type : "application/octet-stream", text);
  free(whole);
  if (!out) inf_fail(f, HF_ENOMEM, NULL, "Out of memory for the input.");
  return out;
}
