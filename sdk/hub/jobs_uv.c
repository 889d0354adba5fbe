/* jobs_uv.c - `hf jobs uv run`: the script, and files among its arguments, go into a folder of their own in the bucket
 * jobs-artifacts of who owns the job; the job finds them where the bucket is mounted.
 * What is neither file nor address is a command that uv knows.
 * A script may carry settings in a [tool.hf-jobs] table; they are not read here, so such a script is refused. */
#include "jobs_uv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "buckets_sync.h"

#define SCRIPT_MAX ((size_t)64 << 20)
#define BUCKET     "jobs-artifacts"

static bool is_address(const char *text) {
  return !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);
}

static bool is_file(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* ---- the script ------------------------------------------------------------------------------------------------------------- */

static bool begins(const char *line, size_t n, const char *with) {
  return n >= strlen(with) && !strncmp(line, with, strlen(with));
}

/* Does the block of comments that describes the script speak of jobs? */
static bool has_settings(const char *text, size_t len) {
  bool inside = false;
  for (const char *line = text, *end = text + len; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    size_t n = stop ? (size_t)(stop - line) : (size_t)(end - line);
    while (n && line[n - 1] == '\r') n--;
    if (!inside && begins(line, n, "# /// script") && n == 12)
      inside = true;
    else if (inside && (!n || *line != '#' || (begins(line, n, "# ///") && n == 5)))
      return false;
    else if (inside && memmem(line, n, "hf-jobs", 7))
      return true;
    line = stop ? stop + 1 : end;
  }
  return false;
}

static hf_status fetch(struct hf_hub *hub, struct hf_uv_script *s) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  size_t n = strcspn(s->name, "?#");
  const char *path = hf_host()->intern(c, s->name, n), *host = path ? strstr(path, "://") + 3 : NULL;
  const char *name = host && strchr(host, '/') ? base_name(path) : "";
  if (!path) return HF_ENOMEM;
  s->saved = strlen(name) > 3 && !strcmp(name + strlen(name) - 3, ".py") ? name : "script.py";
  hf_status st = hf_hub_send(hub, &(struct hf_hub_req){.url = s->name, .tries = 1, .flags = HF_HTTP_NO_AUTH}, &resp);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  if (e) {
    const char *why = hf_host()->intern(c, e->message ? e->message : "", SIZE_MAX);
    hf_host()->clear(c);
    return hf_hub_refuse(c, "Could not download the UV script from '%s': %s", s->name, why ? why : "");
  }
  s->data = malloc(resp.body_len + 1);
  if (!s->data) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (resp.body_len) memcpy(s->data, resp.body, resp.body_len);
  s->len = resp.body_len;
  return HF_OK;
}

static hf_status read_file(hf_call *c, struct hf_uv_script *s) {
  FILE *f = fopen(s->name, "re");
  s->data = f ? malloc(SCRIPT_MAX) : NULL;
  s->len = s->data ? fread(s->data, 1, SCRIPT_MAX, f) : 0;
  bool bad = !f || !s->data || ferror(f);
  if (f) fclose(f);
  return bad ? hf_hub_fail(c, HF_EIO, "OSError", "The script '%s' cannot be read: %s.", s->name, strerror(errno))
             : HF_OK;
}

hf_status hf_hub_uv_read(struct hf_hub *hub, const char *script, struct hf_uv_script *s) {
  hf_call *c = hub->call;
  *s = (struct hf_uv_script){.name = script};
  if (is_address(script))
    TRY(fetch(hub, s));
  else if (is_file(script))
    TRY(read_file(c, s));
  if (!has_settings(s->data ? s->data : "", s->len)) return HF_OK;
  return hf_hub_refuse(c,
                       "The script '%s' carries a [tool.hf-jobs] table, which this program does not read: take it out "
                       "and give its values as options.",
                       script);
}

void hf_hub_uv_free(struct hf_uv_script *s) {
  free(s->data);
  s->data = NULL;
}

/* ---- the files ---------------------------------------------------------------------------------------------------------------- */

struct sent {
  struct hf_bucket_item *items; /* path: below the folder, until it is sent */
  const char **words;           /* what each was typed as */
  uint32_t count;
};

static const struct hf_bucket_item *item_of(const struct sent *s, const char *word) {
  for (uint32_t i = 0; i < s->count; i++)
    if (!strcmp(s->words[i], word)) return &s->items[i];
  return NULL;
}

static bool taken(const struct sent *s, const char *name) {
  for (uint32_t i = 0; i < s->count; i++)
    if (!strcmp(s->items[i].path, name)) return true;
  return false;
}

/* Its own name, without blanks; "name(0).py" when there is one. */
static const char *free_name(hf_call *c, const struct sent *s, const char *word) {
  char *name = (char *)(uintptr_t)hf_host()->intern(c, base_name(word), SIZE_MAX);
  for (char *p = name; p && *p; p++)
    if (*p == ' ') *p = '_';
  if (!name || !taken(s, name)) return name;
  const char *dot = strrchr(name, '.'), *end = dot && dot > name ? dot : name + strlen(name), *other = NULL;
  for (uint32_t i = 0; !other || taken(s, other); i++)
    if (!(other = hf_hub_text(c, "%.*s(%u)%s", (int)(end - name), name, i, end))) return NULL;
  return other;
}

static hf_status add(hf_call *c, struct sent *s, const char *word, const struct hf_uv_script *fetched) {
  static const char *const endings[] = {".py", ".sh", ".yaml", ".yml", ".toml"};
  if (item_of(s, word)) return HF_OK;
  if (!fetched && !is_file(word)) {
    const char *dot = strrchr(base_name(word), '.');
    for (size_t i = 0; dot && dot > base_name(word) && !is_address(word) && i < HF_COUNT(endings); i++)
      if (!strcmp(dot, endings[i]))
        return hf_hub_fail(c, HF_ENOTFOUND, "FileNotFoundError", "The file '%s' is not there.", word);
    return HF_OK;
  }
  const char *name = free_name(c, s, fetched ? fetched->saved : word);
  if (!name) return HF_ENOMEM;
  s->words[s->count] = word;
  s->items[s->count++] = (struct hf_bucket_item){.path = name,
                                                 .local = fetched ? NULL : word,
                                                 .data = fetched ? fetched->data : NULL,
                                                 .size = fetched ? (int64_t)fetched->len : 0};
  return HF_OK;
}

static hf_status send(struct hf_hub *hub, const char *space, struct sent *s, json_t **volumes) {
  hf_call *c = hub->call;
  char stamp[32], random[37];
  time_t now = time(NULL);
  struct tm tm;
  const char *url = NULL, *id = hf_hub_text(c, "%s/" BUCKET, space), *mount;
  size_t i;
  json_t *volume, *changes;
  json_array_foreach(*volumes, i,
                     volume) if ((mount = hf_hub_get(volume, "mountPath")) &&
                                 !strcmp(mount, HF_UV_MOUNT)) return hf_hub_fail(c, HF_EINVAL, "ValueError",
                                                                                 "Mount path '" HF_UV_MOUNT
                                                                                 "' is reserved for Jobs artifacts "
                                                                                 "when running local scripts. Mount "
                                                                                 "your volume at a different path.");
  if (!gmtime_r(&now, &tm) || !strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &tm)) stamp[0] = 0;
  hf_hub_uuid(random);
  const char *folder = hf_hub_text(c, "%s-%.6s", stamp, random);
  TRY(id && folder ? hf_hub_bucket_make(hub, id, true, NULL, true, &url) : HF_ENOMEM);
  for (i = 0; i < s->count; i++)
    if (!(s->items[i].path = hf_hub_text(c, "%s/%s", folder, s->items[i].path))) return HF_ENOMEM;
  if (!(changes = json_array())) return HF_ENOMEM;
  hf_status st = hf_hub_bucket_send(hub, id, s->items, s->count, changes);
  if (st == HF_OK) st = hf_hub_bucket_batch(hub, id, changes);
  json_decref(changes);
  TRY(st);
  const char *told = hf_hub_text(c, "Your script and Job artifacts will be saved in this bucket: %s", url ? url : id);
  TRY(told ? hf_hub_say(hub->out, c, HF_OUT_RAW, told) : HF_ENOMEM);
  if (!*volumes) *volumes = json_array();
  volume = json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", "bucket", "source", id, "mountPath", HF_UV_MOUNT, "readOnly",
                     0, "path", folder);
  return json_array_append_new(*volumes, volume) ? HF_ENOMEM : HF_OK;
}

/* ---- the command ---------------------------------------------------------------------------------------------------------------- */

static void word(json_t *list, const char *text) {
  json_array_append_new(list, json_string(text));
}

static hf_status put(hf_call *c, json_t *list, const struct sent *s, const char *text) {
  const struct hf_bucket_item *item = item_of(s, text);
  const char *there = item ? hf_hub_text(c, HF_UV_MOUNT "/%s", base_name(item->path)) : text;
  if (!there) return HF_ENOMEM;
  word(list, there);
  return HF_OK;
}

hf_status hf_hub_uv_command(struct hf_hub *hub, const hf_args *args, const struct hf_uv_script *script,
                            const char *space, json_t **command, json_t **volumes) {
  hf_call *c = hub->call;
  uint32_t n = hf_host()->arg_count(args, "script_args");
  const char *python = hf_hub_arg(args, "python");
  struct sent s = {.items = hf_host()->arena(c, (n + 1) * sizeof *s.items),
                   .words = hf_host()->arena(c, (n + 1) * sizeof *s.words)};
  if (!s.items || !s.words) return HF_ENOMEM;
  TRY(add(c, &s, script->name, script->saved ? script : NULL));
  for (uint32_t i = 0; i < n; i++) TRY(add(c, &s, hf_host()->arg_str(args, "script_args", i), NULL));
  if (s.count) TRY(send(hub, space, &s, volumes));
  json_t *list = json_pack("[s, s]", "uv", "run");
  for (uint32_t i = 0; list && i < hf_host()->arg_count(args, "with_"); i++) {
    word(list, "--with");
    word(list, hf_host()->arg_str(args, "with_", i));
  }
  if (list && python && *python) {
    word(list, "--python");
    word(list, python);
  }
  hf_status st = list ? put(c, list, &s, script->name) : HF_ENOMEM;
  for (uint32_t i = 0; st == HF_OK && i < n; i++) st = put(c, list, &s, hf_host()->arg_str(args, "script_args", i));
  *command = list;
  return st;
}
