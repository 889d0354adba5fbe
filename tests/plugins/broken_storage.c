/* broken_storage.c - the storage template with one thing wrong, for the judge: -DV_FUNCTION=wrapper puts a wrapper from this
 * file in the place of the template's function. CMakeLists.txt says which rule must find it.
 * Every wrapper is a mistake that somebody could make. */
#include <hf/storage.h>
#pragma push_macro("HF_PLUGIN")
#undef HF_PLUGIN
#define HF_PLUGIN(...) struct hf_plugin
#include "storage/example.c"
#pragma pop_macro("HF_PLUGIN")

#ifndef V_OPEN
#define V_OPEN store_open
#endif
#ifndef V_CLOSE
#define V_CLOSE store_close
#endif
#ifndef V_FIND
#define V_FIND store_find
#endif
#ifndef V_INGEST
#define V_INGEST store_ingest
#endif
#ifndef V_PUBLISH
#define V_PUBLISH store_publish
#endif
#ifndef V_DISCARD
#define V_DISCARD store_discard
#endif
#ifndef V_OPEN_FILE
#define V_OPEN_FILE store_open_file
#endif
#ifndef V_REMOVE
#define V_REMOVE store_remove
#endif
#ifndef V_SPACE
#define V_SPACE store_space
#endif
#ifndef V_CAPS
#define V_CAPS CAPS
#endif

/* ---- the store ---- */

static hf_status open_and_create(hf_call *c, const char *uri, void **out) {
  hf_status st = store_open(c, uri, out);
  if (st == HF_OK) mkdir(((struct store *)*out)->root, 0777);
  return st;
}

static void close_twice(void *s) {
  store_close(s);
  *(volatile char *)NULL = 0;
}

static hf_status find_and_create(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  char path[PATH_LEN + 2];
  if (path_of(c, s, &name->repo, name->commit, name->path, path) == HF_OK) make_parents(c, path);
  return store_find(c, s, name, slot);
}

static hf_status find_twice(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  store_find(c, s, name, slot);
  return store_find(c, s, name, slot);
}

static hf_status find_under_any_commit(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  hf_status st = store_find(c, s, name, slot);
  struct hf_name first = *name;
  first.commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  char path[PATH_LEN];
  struct stat file;
  if (st != HF_ENOTFOUND || path_of(c, s, &name->repo, first.commit, name->path, path) || stat(path, &file)) return st;
  return put_file(slot, path, name->commit, (uint64_t)file.st_size);
}

static hf_status find_wrong_size(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  char path[PATH_LEN];
  struct stat file;
  if (path_of(c, s, &name->repo, name->commit, name->path, path) || stat(path, &file)) return HF_ENOTFOUND;
  return put_file(slot, path, name->commit, (uint64_t)file.st_blocks);
}

static hf_status hang(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  (void)c, (void)s, (void)name, (void)slot;
  while (pause()) continue;
  return HF_OK;
}

static hf_status find_wrong_row(hf_call *c, void *s, const struct hf_name *name, hf_slot *slot) {
  struct hf_text t = {"here", 4};
  (void)c, (void)s, (void)name;
  return H->put(slot, HF_PUT_TEXT, &t, sizeof t);
}

/* ---- sinks ---- */

static hf_status write_less(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  struct hf_iov one = v[n - 1];
  if (n > 1 && sink_writev(c, s, off, v, n - 1)) return HF_EIO;
  for (uint32_t i = 0; i + 1 < n; i++) off += v[i].len;
  if (one.len) one.len--;
  return sink_writev(c, s, off, &one, 1);
}

static hf_status append_only(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  struct stat st;
  (void)off;
  if (fstat(((struct sink *)s)->fd, &st)) return HF_EIO;
  return sink_writev(c, s, (uint64_t)lseek(((struct sink *)s)->fd, 0, SEEK_CUR) + 0 * (uint64_t)st.st_size, v, n) ||
                 lseek(((struct sink *)s)->fd, (off_t)v[0].len, SEEK_CUR) < 0
             ? HF_EIO
             : HF_OK;
}

static hf_status any_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  (void)c;
  s->size = size;
  return HF_OK;
}

static void abort_and_leave(struct hf_sink *s, int32_t keep) {
  (void)keep;
  sink_end((struct sink *)s, 0);
}

static hf_status seal_and_show(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **seal) {
  struct sink *k = (struct sink *)s;
  if (make_parents(c, k->place) == HF_OK && link(k->part, k->place) && errno != EEXIST) return HF_EIO;
  return sink_seal(c, s, is, seal);
}

static hf_status read_short(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  return sink_pread(c, s, buf, len / 2, off, got);
}

#define INGEST_WITH(name_, member_, fn_)                                                          \
  static hf_status name_(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **out) { \
    hf_status st = store_ingest(c, s, in, out);                                                   \
    if (st == HF_OK) (*out)->member_ = fn_;                                                       \
    return st;                                                                                    \
  }
INGEST_WITH(ingest_loses_bytes, writev, write_less)
INGEST_WITH(ingest_appends, writev, append_only)
INGEST_WITH(ingest_any_size, set_size, any_size)
INGEST_WITH(ingest_leaves, abort, abort_and_leave)
INGEST_WITH(ingest_shows, seal, seal_and_show)
INGEST_WITH(ingest_reads_short, pread, read_short)

static hf_status ingest_without_words(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **out) {
  hf_status st = store_ingest(c, s, in, out);
  H->clear(c);
  return st;
}

static hf_status ingest_resumes(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **out) {
  hf_status st = store_ingest(c, s, in, out);
  if (st == HF_OK) (*out)->caps |= HF_IO_RESUMES;
  return st;
}

/* One file of parts for everybody. */
static hf_status ingest_in_one_place(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **out) {
  hf_status st = store_ingest(c, s, in, out);
  if (st != HF_OK) return st;
  struct sink *k = (struct sink *)*out;
  close(k->fd);
  unlink(k->part);
  snprintf(k->part, sizeof k->part, "%.*s/.part/one", PATH_LEN / 2, ((struct store *)s)->root);
  k->fd = open(k->part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return HF_OK;
}

/* ---- publishing ---- */

static hf_status publish_silently(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *slot) {
  (void)slot, (void)s;
  hf_status code = HF_OK;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t size;
    if (code == HF_OK) code = show(c, seals[i], &size);
    sink_end(seals[i], code != HF_OK);
  }
  return code;
}

static hf_status publish_backwards(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *slot) {
  hf_status st = HF_OK;
  for (uint32_t i = n; i-- > 0 && st == HF_OK;) st = store_publish(c, s, &seals[i], 1, slot);
  return st;
}

static hf_status publish_one_only(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *slot) {
  return n > 1 ? H->failf(c, HF_EINVAL, "one at a time") : store_publish(c, s, seals, n, slot);
}

static hf_status publish_piecewise(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *slot) {
  for (uint32_t i = 0; i < n; i++) {
    struct sink *k = seals[i];
    char buf[8192];
    struct stat st;
    if (make_parents(c, k->place) || fstat(k->fd, &st)) return HF_EIO;
    int fd = open(k->place, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    off_t off = 0;
    for (ssize_t r; (r = pread(k->fd, buf, sizeof buf, off)) > 0; off += r, usleep(200))
      if (pwrite(fd, buf, (size_t)r, off) != r) return HF_EIO;
    close(fd);
  }
  return store_publish(c, s, seals, n, slot);
}

static hf_status publish_never(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *slot) {
  (void)c, (void)s;
  for (uint32_t i = 0; i < n; i++) {
    struct sink *k = seals[i];
    put_file(slot, "/etc/hostname", k->commit, k->s.size);
    sink_end(k, 1);
  }
  return HF_OK;
}

static void discard_and_show(void *s, void *seal) {
  struct sink *k = seal;
  (void)s;
  make_parents(NULL, k->place);
  rename(k->part, k->place);
  sink_end(k, 0);
}

/* ---- reading ---- */

static hf_status source_half(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  return source_pread(c, s, buf, len > 1 ? len / 2 : len, off, got);
}

static hf_status source_anything(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  hf_status st = source_pread(c, s, buf, len, off, got);
  if (st == HF_OK && *got) ((char *)buf)[*got - 1] ^= 1;
  return st;
}

#define OPEN_WITH(name_, fn_)                                                                    \
  static hf_status name_(hf_call *c, void *s, const struct hf_name *n, struct hf_source **out) { \
    hf_status st = store_open_file(c, s, n, out);                                                \
    if (st == HF_OK) (*out)->pread = fn_;                                                        \
    return st;                                                                                   \
  }
OPEN_WITH(open_short, source_half)
OPEN_WITH(open_wrong, source_anything)

static hf_status remove_says_yes(hf_call *c, void *s, const struct hf_name *n) {
  (void)c, (void)s, (void)n;
  return HF_OK;
}

static hf_status absent_forgets(hf_call *c, void *s, const struct hf_name *n) {
  (void)c, (void)s, (void)n;
  return HF_OK;
}

static hf_status space_in_words(hf_call *c, void *s, hf_slot *slot) {
  struct hf_text t = {"plenty", 6};
  (void)c, (void)s;
  return H->put(slot, HF_PUT_TEXT, &t, sizeof t);
}

static const struct hf_storage broken = {
    .m = HF_MODULE(hf_storage, HF_KIND_STORAGE, "broken", "one thing is wrong", HF_THREADS_ANY, 1, V_CAPS),
    .open = V_OPEN,
    .close = V_CLOSE,
    .find = V_FIND,
    .ingest = V_INGEST,
    .publish = V_PUBLISH,
    .discard = V_DISCARD,
    .open_file = V_OPEN_FILE,
    .absent = absent_forgets,
    .remove = V_REMOVE,
    .space = V_SPACE,
    .folder = store_folder,
};
static const struct hf_module *const broken_modules[] = {&broken.m};
HF_PLUGIN("broken", "0.0.1", "Apache-2.0", "one thing is wrong", load, NULL, broken_modules,
          {HF_KIND_STORAGE, 1, V_CAPS, "broken", ""});
