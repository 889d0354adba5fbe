/* guard.c - the way into and out of plugin code: the locks that a module's thread model asks for, the module whose
 * configuration option() reads, and put(), by which rows come back.
 * Foreign code is entered nowhere else. */
#include "registry.h"

void hf_guard_in(struct hf_guard *g, hf_call *c, struct hf_slot_module *s, pthread_mutex_t *object) {
  g->held = s->threads == HF_THREADS_ONE ? &s->one : s->threads == HF_THREADS_PER_OBJECT ? object : NULL;
  if (g->held) pthread_mutex_lock(g->held);
  g->before = c ? c->module : NULL;
  g->locale = uselocale((locale_t)0);
  if (c) c->module = s->m;
}

void hf_guard_out(struct hf_guard *g, hf_call *c) {
  if (c) c->module = g->before;
  if (uselocale((locale_t)0) != g->locale) uselocale(g->locale);
  if (g->held) pthread_mutex_unlock(g->held);
  g->held = NULL;
}

/* Our rows, and what the first version of each had. */
static const struct {
  uint32_t what;
  size_t size, min;
} rows[] = {
    {HF_PUT_FILE, sizeof(struct hf_st_file), sizeof(struct hf_st_file)},
    {HF_PUT_ENTRY, sizeof(struct hf_tree_entry), sizeof(struct hf_tree_entry)},
    {HF_PUT_REF, sizeof(struct hf_ref), sizeof(struct hf_ref)},
    {HF_PUT_BLOB, sizeof(struct hf_blob), sizeof(struct hf_blob)},
    {HF_PUT_REQUEST, sizeof(struct hf_http_req), sizeof(struct hf_http_req)},
    {HF_PUT_TEXT, sizeof(struct hf_text), sizeof(struct hf_text)},
    {HF_PUT_URL, sizeof(struct hf_text), sizeof(struct hf_text)},
    {HF_PUT_HELD, sizeof(struct hf_held), sizeof(struct hf_held)},
};

union any_row {
  uint32_t struct_size;
  struct hf_st_file file;
  struct hf_tree_entry entry;
  struct hf_ref ref;
  struct hf_blob blob;
  struct hf_http_req request;
  struct hf_text text;
  struct hf_held held;
};

static hf_status broken(hf_slot *s, const char *what) {
  const struct hf_module *m = s->call ? s->call->module : NULL;
  if (!s->call) return HF_EABI;
  return hf_call_failf(s->call, HF_EABI, "the module %s broke a rule of the plugin ABI: it put %s", m ? m->name : "?",
                       what);
}

hf_status hf_slot_put(hf_slot *s, uint32_t what, const void *row, size_t row_size) {
  if (!s || !s->fn) return HF_EABI;
  if (what != s->want) return broken(s, "a row of a type that was not asked for");
  size_t i = 0;
  while (i < HF_COUNT(rows) && rows[i].what != what) i++;
  if (i == HF_COUNT(rows) || !row || row_size < rows[i].min || row_size > HF_ROW_MAX)
    return broken(s, "a row of absurd size");
  bool frozen = what == HF_PUT_TEXT || what == HF_PUT_URL;
  union any_row full;
  memset(&full, 0, sizeof full);
  memcpy(&full, row, row_size < rows[i].size ? row_size : rows[i].size);
  if (frozen && full.text.len && !full.text.text) return broken(s, "a text without characters");
  if (!frozen) full.struct_size = (uint32_t)rows[i].size;
  return s->fn(s->arg, what, &full);
}

hf_slot *hf_slot_new(hf_call *c, uint32_t want, hf_row_fn fn, void *arg) {
  hf_slot *s = hf_call_arena(c, sizeof *s);
  if (s) *s = (hf_slot){.fn = fn, .arg = arg, .want = want, .call = c};
  return s;
}

void hf_call_module(hf_call *c, const struct hf_module *m) {
  c->module = m;
}
