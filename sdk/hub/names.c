/* names.c - repo ids, repo types and file names as the reference judges them, and the URLs they make.
 * The core checks names again before anything touches a disk; these checks come first and give the reference's words.
 * ASCII only; a bare name or namespace/name, each part at most 96 characters. */
#include "hub.h"

#include <string.h>

static bool word(char ch) {
  return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || ch == '_';
}

/* Letters, digits, "_", "-", "."; neither first nor last may be "-" or ".". */
static bool part_ok(const char *s, size_t n) {
  if (n < 1 || n > 96 || !word(s[0]) || !word(s[n - 1])) return false;
  for (size_t i = 0; i < n; i++)
    if (!word(s[i]) && s[i] != '-' && s[i] != '.') return false;
  return true;
}

/* NULL: fine; else a format with one "%s" for the id. */
static const char *repo_problem(const char *id) {
  const char *slash = strchr(id, '/');
  if (slash && strchr(slash + 1, '/'))
    return "Repo id must be in the form 'repo_name' or 'namespace/repo_name': '%s'. Use `repo_type` argument if "
           "needed.";
  bool ok =
      slash ? part_ok(id, (size_t)(slash - id)) && part_ok(slash + 1, strlen(slash + 1)) : part_ok(id, strlen(id));
  if (!ok)
    return "Repo id must use alphanumeric chars, '-', '_' or '.'. The name cannot start or end with '-' or '.' and the "
           "maximum length "
           "is 96: '%s'.";
  if (strstr(id, "--") || strstr(id, "..")) return "Cannot have -- or .. in repo_id: '%s'.";
  size_t n = strlen(id);
  if (n >= 4 && !strcmp(id + n - 4, ".git")) return "Repo_id cannot end by '.git': '%s'.";
  return NULL;
}

const char *hf_hub_repo_problem(hf_call *c, const char *id) {
  const char *problem = repo_problem(id), *at = problem ? strstr(problem, "%s") : NULL;
  return at ? hf_hub_text(c, "%.*s%.512s%s", (int)(at - problem), problem, id, at + 2) : NULL;
}

hf_status hf_hub_check_repo(hf_call *c, const char *id) {
  const char *problem = hf_hub_repo_problem(c, id ? id : "");
  return problem ? hf_hub_fail(c, HF_EINVAL, "HFValidationError", "%s", problem) : HF_OK;
}

static const struct {
  const char *type, *prefix;
} types[] = {{"model", ""}, {"dataset", "datasets/"}, {"space", "spaces/"}, {"kernel", "kernels/"}};

hf_status hf_hub_check_type(hf_call *c, const char *type) {
  for (size_t i = 0; i < HF_COUNT(types); i++)
    if (!strcmp(types[i].type, type)) return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "ValueError",
                     "Invalid repo type: %.64s. Accepted repo types are: [None, 'model', 'dataset', 'space', 'kernel']",
                     type);
}

static bool drive(const char *s, size_t n) {
  return n >= 2 && s[1] == ':';
}

hf_status hf_hub_check_file(hf_call *c, const char *path) {
  if (!path) return hf_hub_fail(c, HF_EINVAL, "ValueError", "No filename was given: name a file of the repository.");
  bool anchored = *path == '/';
  for (const char *p = path;;) {
    size_t n = strcspn(p, "/\\"), whole = strcspn(p, "/");
    if (n == 2 && p[0] == '.' && p[1] == '.')
      return hf_hub_fail(
          c, HF_EINVAL, "ValueError",
          "Invalid filename '%.512s': cannot contain a '..' path segment. Please ask the repository owner to rename "
          "this file.",
          path);
    if ((p == path || p[-1] == '/') && (drive(p, whole) || *p == '\\')) anchored = true;
    if (!p[n]) break;
    p += n + 1;
  }
  if (anchored)
    return hf_hub_fail(
        c, HF_EINVAL, "ValueError",
        "Invalid filename '%.512s': cannot be an absolute, drive-relative or UNC path. Please ask the repository owner "
        "to rename this file.",
        path);
  return HF_OK;
}

const char *hf_hub_resolve_url(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *path) {
  const char *prefix = "";
  for (size_t i = 0; i < HF_COUNT(types); i++)
    if (!strcmp(types[i].type, repo->type)) prefix = types[i].prefix;
  const char *rev = hf_hub_quote(hub->call, revision, ""), *file = hf_hub_quote(hub->call, path, "/");
  return rev && file ? hf_hub_text(hub->call, "%s/%s%s/resolve/%s/%s", hub->endpoint, prefix, repo->id, rev, file)
                     : NULL;
}

const char *hf_hub_api_url(struct hf_hub *hub, const struct hf_repo *repo) {
  return hf_hub_text(hub->call, "%s/api/%ss/%s", hub->endpoint, repo->type, repo->id);
}
