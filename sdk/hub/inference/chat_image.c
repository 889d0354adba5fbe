/* chat_image.c - pictures in a conversation: a file becomes a data: URL, a URL goes as it is.
 * In a line typed at the terminal "@path" and "@https://..." stand for a picture; the rest of the line is the text.
 * A word with "@" that is no picture stays a word. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

static const char *data_url(hf_call *c, const char *path) {
  const char *type = inf_type_of(path), *data;
  size_t len;
  if (!type || strncmp(type, "image/", 6) != 0) {
    hf_hub_fail(c, HF_EINVAL, "ValueError", "%s has no extension of a picture (.png, .jpg, .webp ...).", path);
    return NULL;
  }
  if (inf_read(c, path, &data, &len)) return NULL;
  char *text = inf_base64(data, len);
  const char *url = text ? hf_hub_text(c, "data:%s;base64,%s", type, text) : NULL;
  free(text);
  return url;
}

/* New reference; NULL with an error. */
static json_t *part(hf_call *c, const char *picture) {
  const char *url = inf_is_url(picture) || !strncmp(picture, "data:", 5) ? picture : data_url(c, picture);
  json_t *made = url ? json_pack("{s:s,s:{s:s}}", "type", "image_url", "image_url", "url", url) : NULL;
  if (!made && !hf_host()->error(c))
    hf_hub_fail(c, HF_EINVAL, "ValueError", "%.100s is no picture's address.", picture);
  return made;
}

static bool is_picture(hf_call *c, const char *word) {
  const char *type = inf_type_of(word), *path;
  if (inf_is_url(word)) return true;
  if (!type || strncmp(type, "image/", 6) != 0) return false;
  return (path = hf_hub_path(c, word)) && access(path, R_OK) == 0;
}

hf_status inf_chat_message(hf_call *c, const char *text, size_t len, const char *const *pictures, uint32_t n,
                           json_t **message) {
  json_t *parts = json_pack("[{s:s,s:s%}]", "type", "text", "text", text, len);
  *message = NULL;
  hf_status st = parts ? HF_OK : hf_hub_fail(c, HF_EINVAL, "UsageError", "The text is not UTF-8.");
  for (uint32_t i = 0; st == HF_OK && i < n; i++) {
    json_t *p = part(c, pictures[i]);
    if (!p || json_array_append_new(parts, p)) st = hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
  }
  if (st == HF_OK && !n)
    *message = json_pack("{s:s,s:s%}", "role", "user", "content", text, len);
  else if (st == HF_OK)
    *message = json_pack("{s:s,s:O}", "role", "user", "content", parts);
  json_decref(parts);
  return st == HF_OK && !*message ? HF_ENOMEM : st;
}

hf_status inf_chat_line(hf_call *c, const char *line, json_t **message) {
  enum { PICTURES = 16 };
  const char *pictures[PICTURES];
  uint32_t n = 0;
  char *text = hf_host()->arena(c, strlen(line) + 1);
  size_t out = 0;
  if (!text) return HF_ENOMEM;
  for (const char *at = line; *at;) {
    size_t word = strcspn(at, " \t"), blanks = strspn(at + word, " \t");
    const char *name = *at == '@' && word > 1 && n < PICTURES ? hf_host()->intern(c, at + 1, word - 1) : NULL;
    if (name && is_picture(c, name)) {
      pictures[n++] = name;
    } else {
      memcpy(text + out, at, word + blanks);
      out += word + blanks;
    }
    at += word + blanks;
  }
  while (n && out && text[out - 1] == ' ') out--;
  return inf_chat_message(c, text, out, pictures, n, message);
}
