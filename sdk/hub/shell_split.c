/* shell_split.c - a line of text as the words that a POSIX shell would make of it: quotes and backslashes, nothing else.
 * No variables, no patterns, no comments: what is in the line is in the words.
 * A quote without its end and a backslash at the end are errors. */
#include "rows.h"

#include <string.h>

hf_status hf_hub_shell_split(hf_call *c, const char *text, json_t **words) {
  char *word = hf_host()->arena(c, strlen(text) + 1), quote = 0;
  size_t n = 0;
  bool open = false;
  const char *wrong = NULL;
  *words = json_array();
  hf_status st = word && *words ? HF_OK : HF_ENOMEM;
  for (const char *s = text;; s++) {
    if (st != HF_OK || wrong) break;
    if (!*s && quote) {
      wrong = "No closing quotation";
    } else if (quote && *s == quote) {
      quote = 0;
    } else if (*s == '\\' && quote != '\'') {
      if (quote && s[1] && s[1] != '\\' && s[1] != '"') word[n++] = '\\';
      if (!s[1]) {
        wrong = "No escaped character";
        break;
      }
      word[n++] = *++s;
      open = true;
    } else if (quote) {
      word[n++] = *s;
    } else if (*s == '"' || *s == '\'') {
      quote = *s;
      open = true;
    } else if (*s && !strchr(" \t\r\n", *s)) {
      word[n++] = *s;
      open = true;
    } else {
      if (open && json_array_append_new(*words, json_stringn(word, n)))
        st = hf_hub_fail(c, HF_EINVAL, "ValueError", "'%s' is not UTF-8.", text);
      n = 0;
      open = false;
      if (!*s) break;
    }
  }
  if (wrong) st = hf_hub_fail(c, HF_EINVAL, "ValueError", "%s", wrong);
  if (st == HF_OK) return HF_OK;
  json_decref(*words);
  *words = NULL;
  return st;
}
