/* repos_create.c - making repos: new ones, and copies of others on the server.
 * The payload is built here, because it has nulls, defaults and parts that only Spaces have; an answer that says the repo
 * is there already may be what was wanted. */
#include "repos_admin.h"

#include <stdlib.h>
#include <string.h>

#define CREATE_TRIES 8

static const char *arg(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

static bool given(const hf_args *args, const char *name) {
  int64_t on;
  return hf_host()->arg_int(args, name, &on) && on;
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out) {
  return hf_hub_begin(hub, c, out, arg(args, "token"), NULL, false);
}

static hf_status put(hf_call *c, json_t *body, const char *key, json_t *value) {
  return hf_hub_put(c, body, key, value);
}

/* ---- payloads ---------------------------------------------------------------------------------------------------------------- */

/* "ns/name" -> name and organization, null without one. */
hf_status hf_hub_put_names(hf_call *c, json_t *body, const char *id) {
  const char *slash = strchr(id, '/');
  TRY(put(c, body, "name", json_string(slash ? slash + 1 : id)));
  return put(c, body, "organization", slash ? json_stringn(id, (size_t)(slash - id)) : json_null());
}

hf_status hf_hub_visibility(hf_call *c, const hf_args *args, const char **out) {
  const char *type = arg(args, "repo_type");
  *out = given(args, "private")     ? "private"
         : given(args, "public")    ? "public"
         : given(args, "protected") ? "protected"
                                    : NULL;
  if (*out && !strcmp(*out, "protected") && strcmp(type, "space") != 0)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Only Spaces can be 'protected'. Please set visibility to 'public' or 'private'.");
  return HF_OK;
}

/* What a Space is given in files, variables and addresses; read before anything is asked. */
struct space {
  json_t *secrets, *variables, *volumes;
};

static void space_free(struct space *s) {
  json_decref(s->secrets);
  json_decref(s->variables);
  json_decref(s->volumes);
}

static hf_status read_space(struct hf_hub *hub, const hf_args *args, struct space *s) {
  *s = (struct space){0};
  hf_status st = hf_hub_env_map(hub, args, "secrets", &s->secrets);
  if (st == HF_OK) st = hf_hub_env_map(hub, args, "env", &s->variables);
  if (st == HF_OK) st = hf_hub_volumes(hub->call, args, &s->volumes);
  if (st != HF_OK) space_free(s);
  return st;
}

/* What only Spaces have; for others it is ignored, and said so. */
static hf_status put_space(struct hf_hub *hub, json_t *body, const hf_args *args, const struct space *given) {
  hf_call *c = hub->call;
  bool space = !strcmp(arg(args, "repo_type"), "space");
  int64_t sleep_time;
  const char *ignored = "", *hardware = arg(args, "hardware");
  bool sleeps = hf_host()->arg_int(args, "sleep_time", &sleep_time);
  struct {
    const char *name, *key;
    json_t *value;
  } rows[] = {{"space_hardware", "hardware", hardware ? json_string(hardware) : NULL},
              {"space_sleep_time", "sleepTimeSeconds", sleeps ? json_integer(sleep_time) : NULL},
              {"space_secrets", "secrets", json_incref(given->secrets)},
              {"space_variables", "variables", json_incref(given->variables)},
              {"space_volumes", "volumes", json_incref(given->volumes)}};
  hf_status st = HF_OK;
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    if (!rows[i].value) continue;
    if (st == HF_OK && space)
      st = put(c, body, rows[i].key, json_incref(rows[i].value));
    else if (ignored)
      ignored = hf_hub_text(c, "%s%s%s", ignored, *ignored ? ", " : "", rows[i].name);
    json_decref(rows[i].value);
  }
  if (st != HF_OK) return st;
  if (!space && ignored && *ignored)
    hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Ignoring provided %s because repo_type is not 'space'.", ignored);
  if (space && sleeps && hardware && !strcmp(hardware, "cpu-basic"))
    hf_hub_log(
        hub, HF_LOG_WARNING,
        "UserWarning: If your Space runs on the default 'cpu-basic' hardware, it will go to sleep if inactive for "
        "more than 48 hours. This value is not configurable. If you don't want your Space to deactivate or if you "
        "want to set a custom sleep time, you need to upgrade to a paid Hardware.");
  return HF_OK;
}

/* An official template by id or name; its kind of Space is the one to make. */
static hf_status find_template(struct hf_hub *hub, const char *name, const char **id, const char **sdk, bool *private) {
  hf_call *c = hub->call;
  const char *url = hf_hub_text(c, "%s/api/spaces/templates", hub->endpoint), *known = "";
  json_t *answer, *one;
  size_t i;
  *id = *sdk = NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_json(hub, &(struct hf_hub_req){.url = url, .tries = 1}, &answer));
  json_array_foreach(json_object_get(answer, "templates"), i, one) {
    const char *repo = hf_hub_get(one, "repoId"), *title = hf_hub_get(one, "name");
    if (!repo || !title) continue;
    known = known ? hf_hub_text(c, "%s%s%s", known, *known ? ", " : "", title) : NULL;
    if (*id || (strcmp(repo, name) && strcasecmp(title, name))) continue;
    *id = hf_host()->intern(c, repo, SIZE_MAX);
    *sdk = hf_hub_get(one, "sdk") ? hf_host()->intern(c, hf_hub_get(one, "sdk"), SIZE_MAX) : NULL;
    *private = json_is_true(json_object_get(one, "preferredPrivate"));
  }
  json_decref(answer);
  if (*id && *sdk) return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "ValueError",
                     "Unknown Space template '%s'. Expected one of %s. Use `HfApi.list_space_templates()` to list "
                     "templates.",
                     name, known ? known : "");
}

static hf_status put_sdk(struct hf_hub *hub, json_t *body, const hf_args *args, const char **seen) {
  static const char *const sdks[] = {"gradio", "streamlit", "docker", "static"};
  hf_call *c = hub->call;
  const char *type = arg(args, "repo_type"), *sdk = arg(args, "sdk"), *template = arg(args, "template"), *id = NULL;
  bool known = false, private = false;
  if (template && strcmp(type, "space") != 0)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "space_template can only be used with repo_type 'space'. Got repo_type=%s.", type);
  if (template) {
    const char *want;
    TRY(find_template(hub, template, &id, &want, &private));
    if (private && !*seen) *seen = "private";
    if (sdk && strcmp(sdk, want) != 0)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "space_sdk must match the SDK of the chosen space_template. Got %s, expected %s.", sdk, want);
    sdk = want;
  }
  if (*seen) TRY(put(c, body, "visibility", json_string(*seen)));
  TRY(put(c, body, "type", json_string(type)));
  if (strcmp(type, "space") != 0) {
    if (sdk)
      hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Ignoring provided space_sdk because repo_type is not 'space'.");
    return HF_OK;
  }
  if (!sdk)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "No space_sdk provided. `create_repo` expects space_sdk to be one of ['gradio', 'streamlit', "
                       "'docker', 'static'] when repo_type is 'space'`");
  for (size_t i = 0; i < HF_COUNT(sdks); i++) known |= !strcmp(sdks[i], sdk);
  if (!known)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Invalid space_sdk. Please choose one of ['gradio', 'streamlit', 'docker', 'static'].");
  TRY(put(c, body, "sdk", json_string(sdk)));
  return id ? put(c, body, "template", json_string(id)) : HF_OK;
}

static hf_status put_more(hf_call *c, json_t *body, const hf_args *args) {
  const char *group = arg(args, "resource_group_id"), *region = arg(args, "region");
  if (group) TRY(put(c, body, "resourceGroupId", json_string(group)));
  return region ? put(c, body, "region", json_string(region)) : HF_OK;
}

/* ---- addresses of repos ---------------------------------------------------------------------------------------------------- */

/* An address of the Hub itself, as this endpoint spells it. */
static const char *here(struct hf_hub *hub, const char *url) {
  static const char *const hubs[] = {"https://huggingface.co", "https://hub-ci.huggingface.co"};
  for (size_t i = 0; i < HF_COUNT(hubs); i++) {
    size_t n = strlen(hubs[i]);
    if (!strcmp(hub->endpoint, hubs[i])) return url;
    if (!strncmp(url, hubs[i], n) && (!url[n] || url[n] == '/'))
      return hf_hub_text(hub->call, "%s%s", hub->endpoint, url + n);
  }
  return url;
}

/* "ns/name" of a repo's page; NULL: it is none. */
static const char *id_of(struct hf_hub *hub, const char *url) {
  static const char *const kinds[] = {"models/", "datasets/", "spaces/", "kernels/"};
  const char *path = strstr(url, "://");
  path = path ? strchr(path + 3, '/') : NULL;
  if (!path) return NULL;
  path++;
  for (size_t i = 0; i < HF_COUNT(kinds); i++)
    if (!strncmp(path, kinds[i], strlen(kinds[i]))) {
      path += strlen(kinds[i]);
      break;
    }
  size_t owner = strcspn(path, "/?#"), name = path[owner] == '/' ? strcspn(path + owner + 1, "/?#") : 0;
  return owner && name ? hf_host()->intern(hub->call, path, owner + 1 + name) : NULL;
}

static const char *page_of(struct hf_hub *hub, const char *type, const char *id) {
  return hf_hub_text(hub->call, "%s/%s%s%s", hub->endpoint, strcmp(type, "model") ? type : "",
                     strcmp(type, "model") ? "s/" : "", id);
}

/* {"url": ..} of an answer; the repo it names. */
static hf_status read_url(struct hf_hub *hub, const struct hf_http_resp *resp, const char *from, const char **url,
                          const char **id, bool *pending) {
  hf_call *c = hub->call;
  json_t *answer;
  TRY(hf_hub_parse(c, resp->body, resp->body_len, from, &answer));
  const char *text = hf_hub_get(answer, "url"), *whole = text ? here(hub, text) : NULL;
  *url = whole ? hf_host()->intern(c, whole, SIZE_MAX) : NULL;
  *id = *url ? id_of(hub, *url) : NULL;
  *pending = json_is_true(json_object_get(answer, "filesCopyPending"));
  json_decref(answer);
  return *id ? HF_OK : hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s names no repo; check HF_ENDPOINT.", from);
}

/* ---- create, duplicate ------------------------------------------------------------------------------------------------------- */

/* The server makes one repo at a time for each owner. */
static bool busy(const struct hf_http_resp *resp) {
  return resp->status == 409 &&
         strstr(resp->body, "Cannot create repo: another conflicting operation is in progress") != NULL;
}

static hf_status post_create(struct hf_hub *hub, const char *url, json_t *body, struct hf_http_resp *resp) {
  hf_status st = HF_OK;
  for (uint32_t i = 1; st == HF_OK; i++) {
    st = hf_hub_send_json(hub, "POST", url, json_incref(body), HF_HTTP_ANY_STATUS, resp);
    if (st != HF_OK || i == CREATE_TRIES || !busy(resp)) break;
    st = hf_host()->backoff(hub->call, i, 200);
  }
  json_decref(body);
  return st;
}

static hf_status say_repo(hf_call *c, hf_out *out, const char *headline, json_t *result) {
  hf_status st = result ? hf_hub_say(out, c, HF_OUT_MESSAGE, headline)
                        : hf_hub_fail(c, HF_EINVAL, "ValueError", "A name is not UTF-8.");
  if (st == HF_OK) return hf_hub_record(out, c, HF_OUT_RESULT, result);
  json_decref(result);
  return st;
}

static hf_status created(struct hf_hub *hub, const hf_args *args, const char *url, const struct hf_http_resp *resp,
                         const char **page, const char **id) {
  hf_call *c = hub->call;
  bool exist_ok = given(args, "exist_ok"), pending;
  const struct hf_hub_req req = {.method = "POST", .url = url};
  if (resp->status < 400 || (exist_ok && resp->status == 409)) return read_url(hub, resp, url, page, id, &pending);
  if (!exist_ok || (resp->status != 401 && resp->status != 402 && resp->status != 403))
    return hf_hub_raise(hub, &req, resp);
  /* the token may not create, but perhaps there is nothing to create */
  struct hf_repo repo = {arg(args, "repo_type"), arg(args, "repo_id")};
  json_t *info;
  if (hf_hub_info(hub, &repo, NULL, NULL, &info) != HF_OK) {
    TRY(hf_host()->check(c));
    hf_host()->clear(c);
    return hf_hub_raise(hub, &req, resp);
  }
  json_decref(info);
  *page = page_of(hub, repo.type, repo.id);
  *id = repo.id;
  return *page ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_run_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  struct space space;
  const char *repo_id = arg(args, "repo_id"), *seen, *page, *id;
  (void)state;
  hf_hub_env_warn(c, out, args);
  TRY(begin(&hub, c, args, out));
  TRY(read_space(&hub, args, &space));
  const char *url = hf_hub_text(c, "%s/api/repos/create", hub.endpoint);
  json_t *body = json_object();
  hf_status st = url && body ? hf_hub_check_repo(c, repo_id) : HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_visibility(c, args, &seen);
  if (st == HF_OK) st = hf_hub_put_names(c, body, repo_id);
  if (st == HF_OK) st = put_sdk(&hub, body, args, &seen);
  if (st == HF_OK) st = put_space(&hub, body, args, &space);
  if (st == HF_OK) st = put_more(c, body, args);
  space_free(&space);
  if (st != HF_OK) return json_decref(body), st;
  TRY(post_create(&hub, url, body, &resp));
  TRY(created(&hub, args, url, &resp, &page, &id));
  return say_repo(c, out, "Repo created", json_pack("{s:s, s:s}", "repo_id", id, "url", page));
}

static hf_status whose(struct hf_hub *hub, const hf_args *args, const char **name) {
  const char *token = arg(args, "token");
  json_t *info;
  if (!token) TRY(hf_hub_token(hub, &token));
  TRY(hf_hub_whoami(hub, token, &info));
  *name = hf_host()->intern(hub->call, hf_hub_get(info, "name"), SIZE_MAX);
  json_decref(info);
  return *name ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_run_duplicate(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  const char *from = arg(args, "from_id"), *to = arg(args, "to_id"), *type = arg(args, "repo_type"), *seen, *page, *id,
             *owner = NULL;
  struct space space;
  bool pending;
  (void)state;
  hf_hub_env_warn(c, out, args);
  TRY(begin(&hub, c, args, out));
  TRY(read_space(&hub, args, &space));
  const char *name = to ? to : strrchr(from, '/') ? strrchr(from, '/') + 1 : from;
  hf_status st = hf_hub_check_repo(c, from);
  if (st == HF_OK && to) st = hf_hub_check_repo(c, to);
  if (st == HF_OK && !strcmp(type, "kernel")) st = hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid repo type");
  if (st == HF_OK) st = hf_hub_visibility(c, args, &seen);
  if (st == HF_OK && !strchr(name, '/')) {
    st = whose(&hub, args, &owner);
    if (st == HF_OK) name = hf_hub_text(c, "%s/%s", owner, name);
  }
  const char *url = name ? hf_hub_text(c, "%s/api/%ss/%s/duplicate", hub.endpoint, type, from) : NULL;
  json_t *body = json_object();
  if (st == HF_OK) st = url && body ? put(c, body, "repository", json_string(name)) : HF_ENOMEM;
  if (st == HF_OK && seen) st = put(c, body, "visibility", json_string(seen));
  if (st == HF_OK) st = put_more(c, body, args);
  if (st == HF_OK) st = put_space(&hub, body, args, &space);
  space_free(&space);
  if (st != HF_OK) return json_decref(body), st;
  TRY(hf_hub_send_json(&hub, "POST", url, body, HF_HTTP_ANY_STATUS, &resp));
  if (!(given(args, "exist_ok") && resp.status == 409))
    TRY(hf_hub_raise(&hub, &(struct hf_hub_req){.method = "POST", .url = url}, &resp));
  TRY(read_url(&hub, &resp, url, &page, &id, &pending));
  TRY(say_repo(c, out, "Repo duplicated", json_pack("{s:s, s:s, s:s}", "from_id", from, "to_id", id, "url", page)));
  if (!pending) return HF_OK;
  const char *text =
      hf_hub_text(c,
                  "LFS/Xet files are still being copied in the background. Downloading them from '%s' may "
                  "fail until the copy is complete.",
                  id);
  return text ? hf_hub_say(out, c, HF_OUT_WARNING, text) : HF_ENOMEM;
}
