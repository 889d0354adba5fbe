/* api_repos.c - the typed functions of hf_hub.h for owners of repos: each is the task of the same name, asked by a program.
 * Arguments become the task's; nobody is asked anything.
 * What a task would print is the result's json. */
#include "hub.h"

/* The members that every one of them has. */
static json_t *base(const struct hf_hub_opts *o, const char *key, const char *id) {
  const char *type = o && o->repo_type ? o->repo_type : "model";
  return json_pack("{s:s?, s:s}", key, id, "repo_type", type);
}

static bool flag(const struct hf_hub_opts *o, uint32_t bit) {
  return o && o->flags & bit;
}

/* Members that are absent when NULL. */
static json_t *with(json_t *args, const char *key, const char *value) {
  if (args && value) json_object_set_new(args, key, json_string(value));
  return args;
}

static json_t *with_flag(json_t *args, const char *key, bool on) {
  if (args && on) json_object_set_new(args, key, json_true());
  return args;
}

hf_status hf_whoami(hf_runtime *rt, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  return hf_hub_task_result(rt, "whoami", json_object(), "name", o, out);
}

hf_status hf_repo_create(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  json_t *args = with_flag(base(o, "repo_id", repo_id), "private", flag(o, HF_HUB_PRIVATE));
  return hf_hub_task_result(rt, "repos.create", with_flag(args, "exist_ok", flag(o, HF_HUB_EXIST_OK)), "repo_id", o,
                            out);
}

hf_status hf_repo_delete(hf_runtime *rt, const char *repo_id, const struct hf_hub_opts *o, struct hf_hub_result **out) {
  json_t *args =
      with_flag(with_flag(base(o, "repo_id", repo_id), "yes", true), "missing_ok", flag(o, HF_HUB_MISSING_OK));
  return hf_hub_task_result(rt, "repos.delete", args, "repo_id", o, out);
}

hf_status hf_repo_move(hf_runtime *rt, const char *from_id, const char *to_id, const struct hf_hub_opts *o,
                       struct hf_hub_result **out) {
  return hf_hub_task_result(rt, "repos.move", with(base(o, "from_id", from_id), "to_id", to_id), "to_id", o, out);
}

hf_status hf_branch_create(hf_runtime *rt, const char *repo_id, const char *branch, const struct hf_hub_opts *o,
                           struct hf_hub_result **out) {
  json_t *args = with(with(base(o, "repo_id", repo_id), "branch", branch), "revision", o ? o->revision : NULL);
  return hf_hub_task_result(rt, "repos.branch.create", with_flag(args, "exist_ok", flag(o, HF_HUB_EXIST_OK)), "repo_id",
                            o, out);
}

hf_status hf_branch_delete(hf_runtime *rt, const char *repo_id, const char *branch, const struct hf_hub_opts *o,
                           struct hf_hub_result **out) {
  return hf_hub_task_result(rt, "repos.branch.delete", with(base(o, "repo_id", repo_id), "branch", branch), "repo_id",
                            o, out);
}

hf_status hf_tag_create(hf_runtime *rt, const char *repo_id, const char *tag, const char *message,
                        const struct hf_hub_opts *o, struct hf_hub_result **out) {
  json_t *args = with(with(base(o, "repo_id", repo_id), "tag", tag), "message", message);
  return hf_hub_task_result(rt, "repos.tag.create", with(args, "revision", o ? o->revision : NULL), "repo_id", o, out);
}

hf_status hf_tag_delete(hf_runtime *rt, const char *repo_id, const char *tag, const struct hf_hub_opts *o,
                        struct hf_hub_result **out) {
  json_t *args = with_flag(with(base(o, "repo_id", repo_id), "tag", tag), "yes", true);
  return hf_hub_task_result(rt, "repos.tag.delete", args, "repo_id", o, out);
}
