/* upload_api.c - the typed functions that write: hf_create_commit, hf_upload_file, hf_upload_folder.
 * Each fills in a commit and runs it as one operation; the answer is the commit's page, id and description.
 * The repo is not made here: whoever calls knows whether it should be. */
#include "api.h"
#include "commit.h"

#include <string.h>

struct writing {
  struct hf_hub_job job; /* first */
  struct hf_table ops;
  const char *local, *path;
};

static uint32_t count(const char *const *list) {
  uint32_t n = 0;
  while (list && list[n]) n++;
  return n;
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const struct writing *w, struct hf_hub_commit *k) {
  const struct hf_hub_opts *o = &w->job.opts;
  *k = (struct hf_hub_commit){.hub = hub,
                              .repo = {o->repo_type ? o->repo_type : "model", w->job.repo_id},
                              .revision = o->revision ? o->revision : "main",
                              .message = o->message,
                              .description = o->description,
                              .parent = o->parent_commit,
                              .create_pr = o->flags & HF_HUB_CREATE_PR,
                              .width = o->max_workers};
  return hf_hub_begin(hub, c, NULL, o->token, o->library ? o->library : "unknown/None", false);
}

/* Takes the commit's operations in every case. */
static hf_status end(hf_call *c, struct writing *w, struct hf_hub_commit *k, hf_status st) {
  hf_hub_ops_free(&k->ops);
  if (st != HF_OK) return st;
  json_t *made = json_pack("{s:s, s:s, s:s, s:s}", "commit_url", k->url, "commit_message", k->message,
                           "commit_description", k->description, "oid", k->oid);
  if (made && k->pr_url) json_object_set_new(made, "pr_url", json_string(k->pr_url));
  TRY(hf_hub_job_give(c, &w->job, made));
  TRY(hf_hub_job_keep(c, &w->job.out->page, k->url));
  return hf_hub_job_keep(c, &w->job.out->sha, k->oid);
}

static hf_status add_row(hf_call *c, struct hf_hub_ops *ops, const struct hf_commit_op *row) {
  if (!row->path) return hf_hub_fail(c, HF_EINVAL, "ValueError", "An operation of a commit has no path.");
  size_t n = strlen(row->path);
  switch (row->kind) {
    case HF_COMMIT_DELETE: return hf_hub_add_deletion(c, ops, row->path, n && row->path[n - 1] == '/');
    case HF_COMMIT_DELETE_FOLDER: return hf_hub_add_deletion(c, ops, row->path, true);
    case HF_COMMIT_COPY:
      if (!row->src_path || !row->src_repo_id != !row->src_repo_type)
        return hf_hub_fail(c, HF_EINVAL, "ValueError",
                           "A copy has a src_path, and src_repo_id and src_repo_type only together.");
      return hf_hub_add_copy(c, ops, row->path,
                             &(struct hf_hub_copy){.path = row->src_path,
                                                   .repo_id = row->src_repo_id,
                                                   .repo_type = row->src_repo_type,
                                                   .revision = row->src_revision});
    case HF_COMMIT_ADD: break;
    default: return hf_hub_fail(c, HF_EINVAL, "ValueError", "'%s': there is no operation %u.", row->path, row->kind);
  }
  if (row->file) return hf_hub_add_file(c, ops, row->path, row->file);
  if (!row->read) return hf_hub_add_bytes(c, ops, row->path, row->data, row->len);
  TRY(hf_hub_add_bytes(c, ops, row->path, NULL, 0));
  struct hf_hub_op *op = &ops->rows[ops->count - 1];
  op->data = NULL;
  op->read = row->read;
  op->arg = row->arg;
  op->stamp.size = row->size;
  return HF_OK;
}

static hf_status run_commit(hf_call *c, void *arg) {
  struct writing *w = arg;
  struct hf_hub hub;
  struct hf_hub_commit k;
  TRY(begin(&hub, c, w, &k));
  hf_status st = hf_hub_commit_check(&k);
  for (uint32_t i = 0; i < w->ops.count && st == HF_OK; i++) {
    struct hf_commit_op row = {0};
    const char *at = (const char *)w->ops.rows + (size_t)i * w->ops.stride;
    memcpy(&row, at, w->ops.stride < sizeof row ? w->ops.stride : sizeof row);
    st = add_row(c, &k.ops, &row);
  }
  if (st == HF_OK) st = hf_hub_commit_run(&k);
  return end(c, w, &k, st);
}

static hf_status run_file(hf_call *c, void *arg) {
  struct writing *w = arg;
  struct hf_hub hub;
  struct hf_hub_commit k;
  const char *slash = strrchr(w->local, '/');
  TRY(begin(&hub, c, w, &k));
  struct hf_hub_upload u = {.local = w->local, .target = w->path ? w->path : slash ? slash + 1 : w->local};
  return end(c, w, &k, hf_hub_upload_file(&k, &u));
}

static hf_status run_folder(hf_call *c, void *arg) {
  struct writing *w = arg;
  const struct hf_hub_opts *o = &w->job.opts;
  struct hf_hub hub;
  struct hf_hub_commit k;
  TRY(begin(&hub, c, w, &k));
  k.split = !(o->flags & HF_HUB_ONE_COMMIT);
  struct hf_hub_upload u = {.local = w->local,
                            .target = w->path ? w->path : "",
                            .patterns = {o->allow, o->ignore, count(o->allow), count(o->ignore)},
                            .remove = o->remove,
                            .remove_count = count(o->remove)};
  hf_status st = hf_hub_upload_look(&k, &u);
  if (st == HF_OK) st = hf_hub_upload_folder(&k, &u);
  hf_hub_ops_free(&u.adds);
  return end(c, w, &k, st);
}

hf_status hf_create_commit(hf_runtime *rt, const char *repo_id, struct hf_table ops, const struct hf_hub_opts *o,
                           struct hf_hub_result **out) {
  struct writing w = {.job = {.rt = rt, .repo_id = repo_id}, .ops = ops};
  return hf_hub_job_run(&w.job, o, run_commit, out);
}
hf_status hf_upload_file(hf_runtime *rt, const char *repo_id, const char *file, const char *path,
                         const struct hf_hub_opts *o, struct hf_hub_result **out) {
  struct writing w = {.job = {.rt = rt, .repo_id = repo_id}, .local = file, .path = path};
  return hf_hub_job_run(&w.job, o, run_file, out);
}
hf_status hf_upload_folder(hf_runtime *rt, const char *repo_id, const char *folder, const char *path,
                           const struct hf_hub_opts *o, struct hf_hub_result **out) {
  struct writing w = {.job = {.rt = rt, .repo_id = repo_id}, .local = folder, .path = path};
  return hf_hub_job_run(&w.job, o, run_folder, out);
}
