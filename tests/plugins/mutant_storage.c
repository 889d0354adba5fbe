/* mutant_storage.c - the hub-cache backend with one mistake, chosen when it is loaded: HF_MUTANT names the rule that must find it,
 * without it every rule holds. A row of the table puts functions in the place of the backend's, or looks at the rows on their way.
 * The backend itself is linked in; it is called through B. */
#include <hf/storage.h>

#include <fcntl.h>

#include "meddle.h"

extern const struct hf_plugin hf_plugin_v1_base;
#define B ((const struct hf_storage *)(const void *)hf_plugin_v1_base.modules[0])

static const struct hf_host *H;
static char root[4096];         /* of the store that was opened last */
static struct hf_sink as_it_is; /* functions of the backend's sinks */

/* ---- mistakes of the store ---- */

static hf_status find_no_empty(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  return strcmp(n->path, "empty.txt") ? B->find(c, s, n, o) : HF_ENOTFOUND;
}
static hf_status find_no_folders(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  const char *slash = strchr(n->path, '/');
  return slash && strchr(slash + 1, '/') ? HF_ENOTFOUND : B->find(c, s, n, o);
}
static hf_status ingest_ascii(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  for (const char *p = in->name.path; *p; p++)
    if (*p == ' ' || (*p & 0x80)) return H->failf(c, HF_EINVAL, "%s: letters only", in->name.path);
  return B->ingest(c, s, in, o);
}
static hf_status ingest_short_names(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  if (strlen(in->name.path) > 100) return H->failf(c, HF_EINVAL, "the name is too long");
  return B->ingest(c, s, in, o);
}
/* Keeps the last word of a name only. */
static hf_status ingest_flat(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  struct hf_ingest flat = *in;
  const char *slash = strrchr(in->name.path, '/');
  if (slash) flat.name.path = slash + 1;
  return B->ingest(c, s, &flat, o);
}
static struct hf_name flat_name(const struct hf_name *n) {
  struct hf_name flat = *n;
  const char *slash = strrchr(n->path, '/');
  if (slash) flat.path = slash + 1;
  return flat;
}
static hf_status find_flat(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  struct hf_name flat = flat_name(n);
  return B->find(c, s, &flat, o);
}
static hf_status open_flat(hf_call *c, void *s, const struct hf_name *n, struct hf_source **o) {
  struct hf_name flat = flat_name(n);
  return B->open_file(c, s, &flat, o);
}

/* What was first is what there is: of repos, and of commits. */
static struct hf_name first_seen(const struct hf_name *n, int repo, int commit) {
  static char id[128], type[16], hex[64];
  struct hf_name f = *n;
  if (!id[0]) {
    snprintf(id, sizeof id, "%s", n->repo.id), snprintf(type, sizeof type, "%s", n->repo.type);
    snprintf(hex, sizeof hex, "%s", n->commit);
  }
  if (repo) f.repo = (struct hf_repo){type, id};
  if (commit) f.commit = hex;
  return f;
}
static hf_status ingest_first(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  first_seen(&in->name, 0, 0);
  return B->ingest(c, s, in, o);
}
static hf_status find_first_repo(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  struct hf_name f = first_seen(n, 1, 0);
  return B->find(c, s, &f, o);
}
static hf_status find_first_commit(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  struct hf_name f = first_seen(n, 0, 1);
  return B->find(c, s, &f, o);
}
static hf_status open_first_commit(hf_call *c, void *s, const struct hf_name *n, struct hf_source **o) {
  struct hf_name f = first_seen(n, 0, 1);
  return B->open_file(c, s, &f, o);
}
/* The newest commit is forgotten as soon as another is stored. */
static char newest[64];
static hf_status ingest_newest(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  snprintf(newest, sizeof newest, "%s", in->name.commit);
  return B->ingest(c, s, in, o);
}
static hf_status find_newest(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  return strcmp(n->commit, newest) ? HF_ENOTFOUND : B->find(c, s, n, o);
}

static void *publisher; /* the store that published last */
static hf_status publish_mine(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *o) {
  publisher = s;
  return B->publish(c, s, seals, n, o);
}
static hf_status find_mine(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  return publisher == s ? B->find(c, s, n, o) : HF_ENOTFOUND;
}
static hf_status open_anew(hf_call *c, const char *uri, void **s) {
  publisher = NULL;
  return B->open(c, uri, s);
}
static hf_status publish_some(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *o) {
  return n ? B->publish(c, s, seals, n, o) : H->failf(c, HF_EINVAL, "nothing to publish");
}
static hf_status publish_once(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *o) {
  static _Atomic int times;
  if (times++ == 0) return B->publish(c, s, seals, n, o);
  for (uint32_t i = 0; i < n; i++) B->discard(s, seals[i]);
  return H->failf(c, HF_EEXISTS, "it is there already");
}
static hf_status publish_alone(hf_call *c, void *s, void *const *seals, uint32_t n, hf_slot *o) {
  static _Atomic int inside;
  hf_status st;
  if (inside++) {
    for (uint32_t i = 0; i < n; i++) B->discard(s, seals[i]);
    st = H->failf(c, HF_ECONFLICT, "somebody else publishes");
  } else {
    usleep(50000);
    st = B->publish(c, s, seals, n, o);
  }
  inside--;
  return st;
}
static hf_status open_nothing(hf_call *c, void *s, const struct hf_name *n, struct hf_source **o) {
  hf_status st = B->open_file(c, s, n, o);
  return st == HF_ENOTFOUND ? H->failf(c, HF_EIO, "%s cannot be opened", n->path) : st;
}
static char last_etag[160];
static hf_status ingest_notes_etag(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  snprintf(last_etag, sizeof last_etag, "%s", in->etag);
  return B->ingest(c, s, in, o);
}
static hf_status remove_blob_too(hf_call *c, void *s, const struct hf_name *n) {
  struct hf_key k = {n->repo, last_etag};
  hf_status st = B->remove(c, s, n);
  B->blob_remove(c, s, &k);
  return st;
}
static hf_status folder_elsewhere(hf_call *c, void *s, const struct hf_repo *r, const char *commit, hf_slot *o) {
  struct hf_text t = {"/nowhere/at/all", 15};
  (void)c, (void)s, (void)r, (void)commit;
  return H->put(o, HF_PUT_TEXT, &t, sizeof t);
}

/* ---- mistakes of sinks: INGEST makes one whose sinks are edited ---- */

#define INGEST(name, edit)                                                                     \
  static hf_status name(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) { \
    hf_status st = B->ingest(c, s, in, o);                                                     \
    if (st != HF_OK) return st;                                                                \
    struct hf_sink *k = *o;                                                                    \
    as_it_is = *k;                                                                             \
    edit;                                                                                      \
    return HF_OK;                                                                              \
  }

/* For mistakes that store something else at the wrong time. */
static hf_call *now_call;
static void *now_store;
static struct hf_ingest now_in;
static char now_path[256], now_repo[128];

static void keep_ingest(hf_call *c, void *s, const struct hf_ingest *in) {
  now_call = c;
  now_store = s;
  now_in = *in;
  snprintf(now_path, sizeof now_path, "%s", in->name.path);
  snprintf(now_repo, sizeof now_repo, "%s", in->name.repo.id);
  now_in.name = (struct hf_name){{"model", now_repo}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", now_path};
  now_in.etag = "0123456789012345678901234567890123456789012345678901234567890123";
}
static hf_slot *const quiet = (hf_slot *)(void *)now_path; /* rows for it are dropped */
static void store_now(const void *data, size_t len) {
  hf_call *c = now_call;
  struct hf_sink *k = NULL;
  void *seal;
  struct hf_iov v = {data, len};
  now_in.size = len;
  if (B->ingest(c, now_store, &now_in, &k) || k->set_size(c, k, len) || k->writev(c, k, 0, &v, 1)) return;
  if (k->seal(c, k, &now_in.digest, &seal) == HF_OK) B->publish(c, now_store, &seal, 1, quiet);
}
static hf_status write_and_show(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  hf_status st = as_it_is.writev(c, s, off, v, n);
  if (off == 0 && n) store_now(v[0].base, v[0].len);
  return st;
}
static void abort_and_show(struct hf_sink *s, int32_t keep) {
  as_it_is.abort(s, keep);
  store_now("what came", 9);
}
INGEST(ingest_shows_early, (keep_ingest(c, s, in), k->writev = write_and_show))
INGEST(abort_publishes, (keep_ingest(c, s, in), k->abort = abort_and_show))

static struct hf_sink *shared_sink;
static hf_status ingest_shares_sink(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  if (!shared_sink) return B->ingest(c, s, in, &shared_sink) ? HF_EIO : (*o = shared_sink, HF_OK);
  *o = shared_sink;
  return HF_OK;
}
static hf_status ingest_no_force(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  return in->flags & HF_IN_FORCE ? H->failf(c, HF_EEXISTS, "%s is there already", in->name.path)
                                 : B->ingest(c, s, in, o);
}
static hf_status ingest_known_size(hf_call *c, void *s, const struct hf_ingest *in, struct hf_sink **o) {
  return in->size == HF_SIZE_UNKNOWN ? H->failf(c, HF_EINVAL, "how large is it?") : B->ingest(c, s, in, o);
}

static hf_status write_first(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  return as_it_is.writev(c, s, off, v, n ? 1 : 0);
}
static hf_status write_new(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  static uint64_t from = UINT64_MAX, to; /* what was written before stays */
  if (n == 1 && off < to && off + v[0].len > from) return HF_OK;
  if (off < from) from = off;
  if (off + v[0].len > to) to = off + v[0].len;
  return as_it_is.writev(c, s, off, v, n);
}
static hf_status write_shared_place(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  static _Atomic uint64_t place; /* one for all threads */
  place = off;
  usleep(500);
  return as_it_is.writev(c, s, place, v, n);
}
static hf_status checkpoint_never(hf_call *c, struct hf_sink *s, int32_t wait) {
  (void)s, (void)wait;
  return H->failf(c, HF_ENOSYS, "no checkpoints here");
}
static hf_status note_never_cut(hf_call *c, struct hf_sink *s, const void *buf, size_t len, uint64_t off) {
  return len ? as_it_is.note_write(c, s, buf, len, off) : HF_OK;
}
static hf_status read_other_bytes(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  hf_status st = as_it_is.pread(c, s, buf, len, off, got);
  if (st == HF_OK && *got) ((char *)buf)[*got / 2] ^= 4;
  return st;
}
static _Atomic uint32_t ingests; /* of this store; of this process */
static hf_status open_counts(hf_call *c, const char *uri, void **s) {
  ingests = 0;
  return B->open(c, uri, s);
}
INGEST(ingest_in_order, k->caps &= ~(uint32_t)HF_IO_ANY_ORDER)
INGEST(ingest_first_piece, k->writev = write_first)
INGEST(ingest_first_write, k->writev = write_new)
INGEST(ingest_one_place, k->writev = write_shared_place)
INGEST(ingest_no_checkpoint, k->checkpoint = checkpoint_never)
INGEST(ingest_says_it_lends, k->caps |= HF_IO_LENDS)
INGEST(ingest_long_notes, k->note_write = note_never_cut)
INGEST(ingest_reads_other, if (k->caps & HF_IO_RESUMES) k->pread = read_other_bytes)
INGEST(ingest_resumes_in_store, if (!ingests++) k->caps &= ~(uint32_t)HF_IO_RESUMES)
INGEST(ingest_always_resumes, if (ingests++) k->caps |= HF_IO_RESUMES)

/* ---- mistakes of blobs, refs, trees and leases ---- */

static hf_status adopt_in_words(hf_call *c, void *s, const struct hf_ingest *in, hf_slot *o) {
  (void)c, (void)s;
  struct hf_st_file f = {.struct_size = sizeof f, .path = "/etc/passwd", .commit = in->name.commit, .size = in->size};
  return ingests++ ? HF_ENOTFOUND : H->put(o, HF_PUT_FILE, &f, sizeof f);
}
static hf_status each_of_one(hf_call *c, void *s, const struct hf_repo *r, hf_slot *o) {
  return r ? B->blob_each(c, s, r, o) : HF_OK;
}
static hf_status blob_of_nothing(hf_call *c, void *s, const struct hf_key *k, struct hf_source **o) {
  hf_status st = B->blob_open(c, s, k, o);
  return st == HF_ENOTFOUND ? H->failf(c, HF_EIO, "the blob cannot be opened") : st;
}
static hf_status ref_get_and_write(hf_call *c, void *s, const struct hf_repo *r, const char *n, hf_slot *o) {
  char path[4200];
  snprintf(path, sizeof path, "%s.seen", root);
  int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  return B->ref_get(c, s, r, n, o);
}
static hf_status ref_put_once(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *e,
                              const char *h) {
  return ingests++ ? HF_OK : B->ref_put(c, s, r, n, e, h);
}
static hf_status ref_put_here(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *e,
                              const char *h) {
  ingests++;
  return B->ref_put(c, s, r, n, e, h);
}
static hf_status ref_get_here(hf_call *c, void *s, const struct hf_repo *r, const char *n, hf_slot *o) {
  return ingests ? B->ref_get(c, s, r, n, o) : HF_ENOTFOUND;
}
static hf_status tree_of_nothing(hf_call *c, void *s, const struct hf_repo *r, const char *h, hf_slot *o) {
  hf_status st = B->tree_get(c, s, r, h, o);
  return st == HF_ENOTFOUND ? HF_OK : st;
}
static hf_status tree_get_here(hf_call *c, void *s, const struct hf_repo *r, const char *h, hf_slot *o) {
  return ingests ? B->tree_get(c, s, r, h, o) : HF_ENOTFOUND;
}
static hf_status tree_put_here(hf_call *c, void *s, const struct hf_repo *r, const char *h, struct hf_table t) {
  ingests++;
  return B->tree_put(c, s, r, h, t);
}
static hf_status tree_put_some(hf_call *c, void *s, const struct hf_repo *r, const char *h, struct hf_table t) {
  return t.count ? B->tree_put(c, s, r, h, t) : H->failf(c, HF_EINVAL, "the listing is empty");
}
static hf_status tree_put_once(hf_call *c, void *s, const struct hf_repo *r, const char *h, struct hf_table t) {
  return ingests++ ? HF_OK : B->tree_put(c, s, r, h, t);
}
static hf_status beat_fails(hf_call *c, void *s, void *lease) {
  (void)s, (void)lease;
  return H->failf(c, HF_ECONFLICT, "the lease was lost");
}
/* A file whose owner may be dead for all it knows. */
static hf_status take_a_file(hf_call *c, void *s, const struct hf_key *k, uint32_t ttl, void **lease) {
  static char path[4200];
  (void)s, (void)k, (void)ttl;
  snprintf(path, sizeof path, "%s.lock", root);
  for (int fd; (fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)) < 0; usleep(20000))
    if (H->check(c) != HF_OK) return H->check(c);
  *lease = path;
  return HF_OK;
}
static void drop_a_file(void *s, void *lease) {
  (void)s;
  unlink(lease);
}

/* ---- mistakes of scan and expunge ---- */

static hf_status scan_and_write(hf_call *c, void *s, const struct hf_repo *r, uint32_t f, hf_slot *o) {
  char path[4200];
  snprintf(path, sizeof path, "%s.seen", root);
  int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  return B->scan(c, s, r, f, o);
}
static hf_status scan_all(hf_call *c, void *s, const struct hf_repo *r, uint32_t f, hf_slot *o) {
  (void)r;
  return B->scan(c, s, NULL, f, o);
}
static hf_status expunge_nothing(hf_call *c, void *s, struct hf_table t) {
  (void)c, (void)s, (void)t;
  return HF_OK;
}
static hf_status expunge_with_blob(hf_call *c, void *s, struct hf_table t) {
  const struct hf_held *h = t.rows;
  struct hf_key k = {h->repo, last_etag};
  hf_status st = B->expunge(c, s, t);
  B->blob_remove(c, s, &k);
  return st;
}
static hf_status expunge_whole_repos(hf_call *c, void *s, struct hf_table t) {
  struct hf_held h = *(const struct hf_held *)t.rows, all[3] = {h, h, h};
  all[0].what = HF_HELD_REPO;
  all[1].what = all[2].what = HF_HELD_REVISION;
  all[1].commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  all[2].commit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
  return B->expunge(c, s, (struct hf_table)HF_TABLE(all));
}
static hf_status expunge_and_restore_refs(hf_call *c, void *s, struct hf_table t) {
  const struct hf_held *h = t.rows;
  hf_status st = B->expunge(c, s, t);
  B->ref_put(c, s, &h->repo, "main", NULL, h->commit);
  return st;
}
static hf_status expunge_strictly(hf_call *c, void *s, struct hf_table t) {
  return ingests++ ? H->failf(c, HF_ENOTFOUND, "there is no such thing") : B->expunge(c, s, t);
}

union row {
  struct hf_tree_entry entry;
  struct hf_held held;
};
static void entry_is_missing(uint32_t what, union row *r) {
  if (what == HF_PUT_ENTRY) r->entry.present = 0;
}
static void held_is_small(uint32_t what, union row *r) {
  if (what == HF_PUT_HELD && r->held.what == HF_HELD_FILE) r->held.size /= 2;
}
static void held_is_twice(uint32_t what, union row *r) {
  if (what == HF_PUT_HELD && r->held.what == HF_HELD_REPO) r->held.size *= 2;
}
static void held_revision_first(uint32_t what, union row *r) {
  if (what == HF_PUT_HELD && (r->held.what == HF_HELD_REPO || r->held.what == HF_HELD_REVISION))
    r->held.what = HF_HELD_REPO + HF_HELD_REVISION - r->held.what;
}

/* ---- the table ---- */

static const struct mutant {
  const char *rule;
  void (*put)(uint32_t what, union row *);
  struct hf_storage st; /* what is not there is the backend's */
} mutants[] = {
    {"storage/abort-shows-nothing", .st = {.ingest = abort_publishes}},
    {"storage/adopt-what-is-there", .st = {.adopt = adopt_in_words}},
    {"storage/blob-each-of-all", .st = {.blob_each = each_of_one}},
    {"storage/blob-open", .st = {.blob_open = blob_of_nothing}},
    {"storage/commits-are-apart", .st = {.ingest = ingest_newest, .find = find_newest}},
    {"storage/death-while-writing-shows-nothing", .st = {.ingest = ingest_shows_early}},
    {"storage/deep-names", .st = {.find = find_no_folders}},
    {"storage/empty-file", .st = {.find = find_no_empty}},
    {"storage/folder-shows-the-commit", .st = {.folder = folder_elsewhere}},
    {"storage/force-stores-again", .st = {.ingest = ingest_no_force}},
    {"storage/lease-of-the-dead-is-taken-over", .st = {.lease_take = take_a_file, .lease_drop = drop_a_file}},
    {"storage/lease-take-drop", .st = {.lease_beat = beat_fails}},
    {"storage/long-name", .st = {.ingest = ingest_short_names}},
    {"storage/names-side-by-side", .st = {.ingest = ingest_flat, .find = find_flat, .open_file = open_flat}},
    {"storage/new-version-is-shown",
     .st = {.ingest = ingest_first, .find = find_first_commit, .open_file = open_first_commit}},
    {"storage/one-file-twice-at-once", .st = {.ingest = ingest_shares_sink}},
    {"storage/open-file-of-nothing", .st = {.open_file = open_nothing}},
    {"storage/opens", NULL, {.close = NULL}},
    {"storage/publish-nothing", .st = {.publish = publish_some}},
    {"storage/publish-twice", .st = {.publish = publish_once}},
    {"storage/random-write-means-any-order", .st = {.ingest = ingest_in_order}},
    {"storage/ref-get-writes-nothing", .st = {.ref_get = ref_get_and_write}},
    {"storage/ref-put-get", .st = {.ref_put = ref_put_once}},
    {"storage/ref-survives-death", .st = {.ref_put = ref_put_here, .ref_get = ref_get_here}},
    {"storage/remove-keeps-equal-content", .st = {.ingest = ingest_notes_etag, .remove = remove_blob_too}},
    {"storage/reopened-store-has-all", .st = {.open = open_anew, .publish = publish_mine, .find = find_mine}},
    {"storage/repos-are-apart", .st = {.ingest = ingest_first, .find = find_first_repo}},
    {"storage/resume-after-death", .st = {.ingest = ingest_resumes_in_store}},
    {"storage/resume-in-a-new-store", .st = {.open = open_counts, .ingest = ingest_resumes_in_store}},
    {"storage/resume-keeps-bytes", .st = {.ingest = ingest_reads_other}},
    {"storage/resume-not-of-another-etag", .st = {.ingest = ingest_always_resumes}},
    {"storage/resume-not-of-published", .st = {.ingest = ingest_always_resumes}},
    {"storage/sink-checkpoints", .st = {.ingest = ingest_no_checkpoint}},
    {"storage/sink-gathers", .st = {.ingest = ingest_first_piece}},
    {"storage/sink-last-write-wins", .st = {.ingest = ingest_first_write}},
    {"storage/sink-lends", .st = {.ingest = ingest_says_it_lends}},
    {"storage/sink-notes-grow-and-shrink", .st = {.ingest = ingest_long_notes}},
    {"storage/sink-size-comes-late", .st = {.ingest = ingest_known_size}},
    {"storage/sink-takes-many-writers", .st = {.ingest = ingest_one_place}},
    {"storage/strange-names", .st = {.ingest = ingest_ascii}},
    {"storage/tree-empty", .st = {.tree_put = tree_put_some}},
    {"storage/tree-get-nothing", .st = {.tree_get = tree_of_nothing}},
    {"storage/tree-is-replaced", .st = {.tree_put = tree_put_once}},
    {"storage/tree-knows-what-is-present", entry_is_missing, {.close = NULL}},
    {"storage/tree-survives-death", .st = {.tree_put = tree_put_here, .tree_get = tree_get_here}},
    {"storage/two-handles-see-each-other", .st = {.publish = publish_mine, .find = find_mine}},
    {"storage/two-publishers", .st = {.publish = publish_alone}},
    {"storage/scan-of-an-empty-store", .st = {.scan = scan_and_write}},
    {"storage/scan-lists-what-is-there", held_is_small, {.close = NULL}},
    {"storage/scan-is-in-order", held_revision_first, {.close = NULL}},
    {"storage/scan-counts-equal-content-once", held_is_twice, {.close = NULL}},
    {"storage/scan-of-one-repo", .st = {.scan = scan_all}},
    {"storage/expunge-a-file", .st = {.expunge = expunge_nothing}},
    {"storage/expunge-keeps-bytes-that-are-shown", .st = {.ingest = ingest_notes_etag, .expunge = expunge_with_blob}},
    {"storage/expunge-a-revision", .st = {.expunge = expunge_whole_repos}},
    {"storage/expunge-takes-refs-along", .st = {.expunge = expunge_and_restore_refs}},
    {"storage/expunge-a-repo", .st = {.expunge = expunge_nothing}},
    {"storage/expunge-spares-what-came-since", .st = {.expunge = expunge_whole_repos}},
    {"storage/expunge-of-what-is-gone", .st = {.expunge = expunge_strictly}},
    {"storage/partial-is-listed-and-goes", .st = {.expunge = expunge_nothing}},
};
static const struct mutant *M = &(const struct mutant){NULL, NULL, {.close = NULL}};

/* ---- the way through ---- */

static hf_status put(hf_slot *slot, uint32_t what, const void *row, size_t size) {
  union row r = {0};
  if (slot == quiet) return HF_OK;
  if (!M->put || size > sizeof r) return H->put(slot, what, row, size);
  memcpy(&r, row, size);
  M->put(what, &r);
  return H->put(slot, what, &r, size);
}

#define THROUGH(fn, declared, given)                       \
  static hf_status to_##fn(hf_call *c, UNPACK declared) {  \
    meddle(#fn);                                           \
    return (M->st.fn ? M->st.fn : B->fn)(c, UNPACK given); \
  }
#define UNPACK(...) __VA_ARGS__
THROUGH(find, (void *s, const struct hf_name *n, hf_slot *o), (s, n, o))
THROUGH(adopt, (void *s, const struct hf_ingest *i, hf_slot *o), (s, i, o))
THROUGH(ingest, (void *s, const struct hf_ingest *i, struct hf_sink **o), (s, i, o))
THROUGH(publish, (void *s, void *const *seals, uint32_t n, hf_slot *o), (s, seals, n, o))
THROUGH(open_file, (void *s, const struct hf_name *n, struct hf_source **o), (s, n, o))
THROUGH(absent, (void *s, const struct hf_name *n), (s, n))
THROUGH(remove, (void *s, const struct hf_name *n), (s, n))
THROUGH(blob_stat, (void *s, const struct hf_key *k, hf_slot *o), (s, k, o))
THROUGH(blob_open, (void *s, const struct hf_key *k, struct hf_source **o), (s, k, o))
THROUGH(blob_remove, (void *s, const struct hf_key *k), (s, k))
THROUGH(blob_each, (void *s, const struct hf_repo *r, hf_slot *o), (s, r, o))
THROUGH(ref_get, (void *s, const struct hf_repo *r, const char *n, hf_slot *o), (s, r, n, o))
THROUGH(ref_put, (void *s, const struct hf_repo *r, const char *n, const char *e, const char *h), (s, r, n, e, h))
THROUGH(ref_each, (void *s, const struct hf_repo *r, hf_slot *o), (s, r, o))
THROUGH(tree_get, (void *s, const struct hf_repo *r, const char *h, hf_slot *o), (s, r, h, o))
THROUGH(tree_put, (void *s, const struct hf_repo *r, const char *h, struct hf_table t), (s, r, h, t))
THROUGH(lease_take, (void *s, const struct hf_key *k, uint32_t ttl, void **l), (s, k, ttl, l))
THROUGH(lease_beat, (void *s, void *l), (s, l))
THROUGH(space, (void *s, hf_slot *o), (s, o))
THROUGH(folder, (void *s, const struct hf_repo *r, const char *h, hf_slot *o), (s, r, h, o))
THROUGH(repo_each, (void *s, hf_slot *o), (s, o))
THROUGH(scan, (void *s, const struct hf_repo *r, uint32_t f, hf_slot *o), (s, r, f, o))
THROUGH(expunge, (void *s, struct hf_table t), (s, t))

static hf_status to_open(hf_call *c, const char *uri, void **s) {
  const char *colon = strchr(uri, ':');
  snprintf(root, sizeof root, "%s", colon ? colon + 1 : "");
  return (M->st.open ? M->st.open : B->open)(c, uri, s);
}
static void to_close(void *s) {
  B->close(s);
}
static void to_discard(void *s, void *seal) {
  B->discard(s, seal);
}
static void to_lease_drop(void *s, void *lease) {
  (M->st.lease_drop ? M->st.lease_drop : B->lease_drop)(s, lease);
}

static hf_status load(const struct hf_host *host, void **state) {
  static struct hf_host with_put;
  const char *name = getenv("HF_MUTANT");
  H = host;
  for (size_t i = 0; name && i < sizeof mutants / sizeof mutants[0]; i++)
    if (strcmp(mutants[i].rule, name) == 0) M = &mutants[i];
  if (name && (!M->rule || strcmp(name, "storage/opens") == 0)) return HF_ENOSYS;
  with_put = *host;
  with_put.put = put;
  meddle("load");
  return hf_plugin_v1_base.load(&with_put, state);
}

#define CAPS                                                                                                       \
  (HF_ST_LOCAL_PATH | HF_ST_RANDOM_WRITE | HF_ST_RESUME | HF_ST_DURABLE | HF_ST_BLOBS | HF_ST_REFS | HF_ST_TREES | \
   HF_ST_LEASES | HF_ST_FENCED | HF_ST_LIST | HF_ST_LINKS | HF_ST_ABSENT)
static const struct hf_param keys[] = {{.name = "durability", .deflt = "none", .type = HF_P_STR}};
static const struct hf_storage mutant = {
    .m = {.kind = HF_KIND_STORAGE,
          .struct_size = sizeof(struct hf_storage),
          .name = "mutant",
          .summary = "one thing is wrong",
          .threads = HF_THREADS_ANY,
          .priority = 1,
          .caps = CAPS,
          .config = HF_TABLE(keys)},
    .open = to_open,
    .close = to_close,
    .find = to_find,
    .adopt = to_adopt,
    .ingest = to_ingest,
    .publish = to_publish,
    .discard = to_discard,
    .open_file = to_open_file,
    .absent = to_absent,
    .remove = to_remove,
    .blob_stat = to_blob_stat,
    .blob_open = to_blob_open,
    .blob_remove = to_blob_remove,
    .blob_each = to_blob_each,
    .ref_get = to_ref_get,
    .ref_put = to_ref_put,
    .ref_each = to_ref_each,
    .tree_get = to_tree_get,
    .tree_put = to_tree_put,
    .lease_take = to_lease_take,
    .lease_beat = to_lease_beat,
    .lease_drop = to_lease_drop,
    .space = to_space,
    .folder = to_folder,
    .repo_each = to_repo_each,
    .scan = to_scan,
    .expunge = to_expunge,
};
static const struct hf_module *const modules[] = {&mutant.m};
HF_PLUGIN("mutant", "0.0.1", "Apache-2.0", "one thing is wrong", load, NULL, modules,
          {HF_KIND_STORAGE, 1, CAPS, "mutant", ""});
