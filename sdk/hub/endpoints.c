/* endpoints.c - asking the hosts of Inference Endpoints: addresses, the token, failures in the command's own words.
 * Also the commands that are one request about one endpoint, by their rows alone.
 * Answers are shown whole, as the host gave them. */
#include "endpoints.h"

#include <string.h>

hf_status hf_hub_endpoints_space(struct hf_hub *hub, const hf_args *args, const char **space) {
  const char *token;
  json_t *info;
  *space = hf_hub_arg(args, "namespace");
  if (*space && **space) return HF_OK;
  TRY(hf_hub_token(hub, &token));
  TRY(hf_hub_whoami(hub, token, &info));
  const char *type = hf_hub_get(info, "type");
  hf_status st = HF_OK;
  if (!type || strcmp(type, "user") != 0)
    st = hf_hub_fail(hub->call, HF_EINVAL, "ValueError",
                     "Cannot determine default namespace. You must provide a 'namespace' as input or be logged in as a "
                     "user.");
  else if (!(*space = hf_host()->intern(hub->call, hf_hub_get(info, "name"), SIZE_MAX)))
    st = HF_ENOMEM;
  json_decref(info);
  return st;
}

const char *hf_hub_endpoints_url(hf_call *c, const char *path, const char *space, const char *name) {
  const char *url = HF_ENDPOINTS_API;
  while (url && *path) {
    size_t n = strcspn(path, "{");
    url = hf_hub_text(c, "%s%.*s", url, (int)n, path);
    path += n;
    if (!url || !*path) break;
    const char *value = hf_hub_quote(c, !strncmp(path, "{namespace}", 11) ? space : name, "");
    url = value ? hf_hub_text(c, "%s%s", url, value) : NULL;
    path += strcspn(path, "}") + 1;
  }
  return url;
}

hf_status hf_hub_endpoints_ask(struct hf_hub *hub, const char *method, const char *url, json_t *body, json_t **answer) {
  const char *host =
      url && !strncmp(url, HF_ENDPOINTS_API, strlen(HF_ENDPOINTS_API)) ? HF_ENDPOINTS_API : HF_ENDPOINTS_CATALOG;
  *answer = NULL;
  hf_status st = !url ? HF_ENOMEM : hub->offline ? HF_OK : hf_hub_ready(hub);
  if (st == HF_OK && !hub->offline) st = hf_hub_credential_at(hub, host);
  if (st != HF_OK) return json_decref(body), st;
  return hf_hub_ask(hub, method, url, body, answer);
}

hf_status hf_hub_endpoints_failed(hf_call *c, const char *what, hf_status st) {
  struct hf_error e;
  if (st == HF_OK || !hf_host()->error(c)) return st;
  TRY(hf_hub_error_keep(c, &e));
  if (!e.http_status && !hf_hub_error_is(&e, "HfHubHTTPError")) return st;
  const char *message = hf_hub_text(c, "%s failed: %s", what, e.message);
  if (!message) return HF_ENOMEM;
  hf_host()->clear(c);
  return hf_host()->fail(c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                               .code = e.code,
                                               .cls = "Exit",
                                               .sys_errno = (int32_t)(e.http_status             ? e.http_status
                                                                      : e.code == HF_ERATELIMIT ? 429
                                                                                                : 401),
                                               .message = message});
}

hf_status hf_hub_endpoints_show(hf_call *c, hf_out *out, const char *url, json_t *answer) {
  if (json_is_object(answer)) return hf_hub_record(out, c, HF_OUT_DICT, answer);
  json_decref(answer);
  return hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s describes no endpoint; check proxies and HF_URL_REWRITE.",
                     url);
}

/* ---- one request about one endpoint ------------------------------------------------------------------------------------ */

static bool runs_already(const struct hf_http_resp *resp) {
  static const char words[] = "already running";
  return resp->status == 400 && resp->body && memmem(resp->body, resp->body_len, words, sizeof words - 1);
}

/* One that runs already is what was wanted: it is looked at instead. */
static hf_status resume(struct hf_hub *hub, const char *url, const char *space, const char *name, json_t **answer) {
  struct hf_hub_req req = {.method = "POST", .url = url, .tries = 1, .flags = HF_HTTP_ANY_STATUS};
  struct hf_http_resp resp;
  if (!hub->offline) TRY(hf_hub_ready(hub));
  if (!hub->offline) TRY(hf_hub_credential_at(hub, HF_ENDPOINTS_API));
  TRY(hf_hub_send(hub, &req, &resp));
  if (!runs_already(&resp)) {
    TRY(hf_hub_raise(hub, &req, &resp));
    return hf_hub_parse(hub->call, resp.body, resp.body_len, url, answer);
  }
  url = hf_hub_endpoints_url(hub->call, "/v2/endpoint/{namespace}/{name}", space, name);
  return hf_hub_endpoints_ask(hub, "GET", url, NULL, answer);
}

static hf_status run_row(hf_call *c, void *state, const struct hf_task *task, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, task->name);
  const char *name = hf_hub_arg(args, "name"), *space, *url = NULL;
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  if (task->confirm) TRY(hf_hub_confirm(c, out, args, task->confirm));
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_status st = hf_hub_endpoints_space(&hub, args, &space);
  if (st == HF_OK && !(url = hf_hub_endpoints_url(c, task->routes->path, space, name))) st = HF_ENOMEM;
  if (st == HF_OK && task->route_count > 1 && !hf_hub_given(args, "fail_if_already_running"))
    st = resume(&hub, url, space, name, &answer);
  else if (st == HF_OK)
    st = hf_hub_endpoints_ask(&hub, task->routes->method, url, NULL, &answer);
  if (st == HF_OK && !task->done) return hf_hub_endpoints_show(c, out, url, answer);
  if (st == HF_OK) st = hf_hub_shown_result(c, out, row, args, answer);
  json_decref(answer);
  return hf_hub_endpoints_failed(c, row->failed, st);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

#define NAME      HF_WORD("name", "NAME", "Name of the endpoint.")
#define NAMESPACE HF_TEXT("namespace", "Who owns the endpoint: a user or an organization; you without it.")
#define REPO(f) \
  { .name = "repo", .help = "Model that is served, such as 'openai/gpt-oss-120b'.", .type = HF_P_STR, .flags = f }
#define FRAMEWORK(f) \
  { .name = "framework", .help = "Framework of the model, such as 'vllm' or 'custom'.", .type = HF_P_STR, .flags = f }
#define ACCELERATOR(f) \
  { .name = "accelerator", .help = "What computes: 'cpu', 'gpu', ...", .type = HF_P_STR, .flags = f }
#define SIZE(f) \
  { .name = "instance_size", .help = "Size of the machine, such as 'x4'.", .type = HF_P_STR, .flags = f }
#define TYPE(f) \
  { .name = "instance_type", .help = "Kind of machine, such as 'intel-icl'.", .type = HF_P_STR, .flags = f }
#define REVISION HF_TEXT("revision", "Branch, tag or commit of the model.")
#define TASK     HF_TEXT("task", "Task that it is deployed for, such as 'text-classification'.")
#define MIN(d)   HF_NUMBER("min_replica", d, "Replicas at least.")
#define MAX(d)   HF_NUMBER("max_replica", d, "Replicas at most.")
#define SCALING                                                                                                 \
  HF_NUMBER("scale_to_zero_timeout", NULL, "Minutes without a request after which it is scaled to zero."),      \
      {.name = "scaling_metric",                                                                                \
       .help = "What the number of replicas goes by.",                                                          \
       .choices = "pendingRequests,hardwareUsage",                                                              \
       .type = HF_P_CHOICE},                                                                                    \
  {                                                                                                             \
    .name = "scaling_threshold", .help = "From this value of it on there are more of them.", .type = HF_P_FLOAT \
  }
#define IMAGE                                                                                              \
  HF_TEXT("custom_image", "Image that runs, with `--framework custom`; it replaces the one there was."),   \
      {.name = "engine",                                                                                   \
       .help = "Engine that the image holds; any container without it.",                                   \
       .choices = "custom,hf-serve,llamacpp,sglang,tei,tgi,tgi-neuron,vllm,vllm-neuron",                   \
       .type = HF_P_STR},                                                                                  \
      HF_TEXT("health_route", "Path of the container that says whether it is well, with --custom-image."), \
      HF_NUMBER("port", NULL, "Port that the container listens on, with --custom-image.")
#define PARALLEL                                                                                              \
  HF_NUMBER("tensor_parallel_size", NULL, "Accelerators that share one copy of the model; vLLM and SGLang."), \
      HF_NUMBER("data_parallel_size", NULL, "Copies of the model, one for each accelerator; vLLM.")
#define CONTAINER                                                                         \
  HF_TEXT("container_command", "Instead of the image's own entry point, as in a shell."), \
      HF_TEXT("container_args", "Arguments of the entry point, as in a shell; they replace those there were.")
#define SEVERAL(n, s, h, f) \
  { .name = n, .spellings = "=" s, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT | (f) }
#define CATALOG_ACCELERATOR(h) \
  { .name = "accelerator", .help = h, .choices = "cpu,gpu,neuron", .type = HF_P_STR }

static const struct hf_param list_params[] = {NAMESPACE, HF_TOKEN_PARAM};
static const struct hf_param name_params[] = {NAME, NAMESPACE, HF_TOKEN_PARAM};
static const struct hf_param delete_params[] = {NAME, NAMESPACE, HF_SWITCH("yes", "Do not ask."), HF_TOKEN_PARAM};
static const struct hf_param resume_params[] = {
    NAME, NAMESPACE, HF_SWITCH("fail_if_already_running", "It is an error when it runs already."), HF_TOKEN_PARAM};
static const struct hf_param hardware_params[] = {
    NAMESPACE,
    HF_TEXT("vendor", "Only this cloud, such as 'aws'."),
    HF_TEXT("region", "Only this region, such as 'us-east-1'."),
    HF_TEXT("accelerator", "Only with this accelerator: 'cpu', 'gpu', 'neuron'."),
    HF_TEXT("instance_type", "Only this kind of machine, such as 'nvidia-l4'."),
    {.name = "show_all",
     .spellings = "=-a,--all",
     .help = "Also what cannot be had now: not available, outdated, or beyond the quota.",
     .type = HF_P_BOOL},
    HF_TOKEN_PARAM};
static const struct hf_param deploy_params[] = {
    NAME,
    REPO(HF_PF_REQUIRED),
    FRAMEWORK(HF_PF_REQUIRED),
    ACCELERATOR(HF_PF_REQUIRED),
    SIZE(HF_PF_REQUIRED),
    TYPE(HF_PF_REQUIRED),
    {.name = "region", .help = "Region of the cloud, such as 'us-east-1'.", .type = HF_P_STR, .flags = HF_PF_REQUIRED},
    {.name = "vendor", .help = "The cloud, such as 'aws'.", .type = HF_P_STR, .flags = HF_PF_REQUIRED},
    NAMESPACE,
    TASK,
    HF_TOKEN_PARAM,
    MIN("1"),
    MAX("1"),
    SCALING,
    REVISION,
    IMAGE,
    HF_TEXT("container_registry_username", "Who fetches the image of --custom-image."),
    {.name = "container_registry_password",
     .help = "Password of who fetches the image.",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
    PARALLEL,
    CONTAINER,
    SEVERAL("env", "-e,--env", "Variable, NAME=VALUE, or NAME for the value it has here; may be repeated.", 0),
    HF_TEXT("env_file", "File of variables, `-` for stdin."),
    SEVERAL("secrets", "-s,--secrets",
            "Secret: NAME takes the value from your environment, NAME=VALUE shows it to others; may be repeated.",
            HF_PF_SECRET),
    HF_TEXT("secrets_file", "File of secrets, `-` for stdin."),
    {.name = "endpoint_type",
     .spellings = "=--type",
     .help = "Who may use it; 'authenticated' without it.",
     .choices = "public,authenticated,private",
     .type = HF_P_STR}};
static const struct hf_param update_params[] = {NAME,         NAMESPACE, REPO(0), ACCELERATOR(0), SIZE(0),  TYPE(0),
                                                FRAMEWORK(0), REVISION,  TASK,    IMAGE,          PARALLEL, CONTAINER,
                                                MIN(NULL),    MAX(NULL), SCALING, HF_TOKEN_PARAM};
static const struct hf_param catalog_params[] = {
    CATALOG_ACCELERATOR("Only recipes for this accelerator."),
    {.name = "engine",
     .help = "Only recipes with this engine.",
     .choices = "llamacpp,sglang,tei,vllm",
     .type = HF_P_STR},
    HF_TEXT("license", "Only models under this license, such as 'Apache 2.0'."),
    HF_TEXT("task", "Only models for this task, such as 'text-generation'."),
    HF_TEXT("search", "Only models that this finds."),
    HF_NUMBER("limit", NULL, "At most so many models."),
    HF_TOKEN_PARAM};
static const struct hf_param from_catalog_params[] = {
    HF_TEXT("repo", "Model that is served, by its first recipe; not with --recipe."),
    HF_TEXT("recipe", "Recipe, as `hf endpoints catalog ls` names it; not with --repo."),
    HF_TEXT("name", "Name of the endpoint."),
    CATALOG_ACCELERATOR("What computes; only with --repo."),
    HF_TEXT("gguf_file", "GGUF file that is served, where there is a recipe for each; only with --repo."),
    NAMESPACE,
    HF_TOKEN_PARAM};

#define ALL "/v2/endpoint/{namespace}"
#define ONE ALL "/{name}"
static const struct hf_route list_routes[] = {{.method = "GET", .path = ALL, .tries = 1}};
static const struct hf_route hardware_routes[] = {{.method = "GET", .path = "/v2/provider/{namespace}", .tries = 1}};
static const struct hf_route deploy_routes[] = {{.method = "POST", .path = ALL, .tries = 1}};
static const struct hf_route describe_routes[] = {{.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route update_routes[] = {{.method = "PUT", .path = ONE, .tries = 1},
                                                {.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route delete_routes[] = {{.method = "DELETE", .path = ONE, .tries = 1}};
static const struct hf_route pause_routes[] = {{.method = "POST", .path = ONE "/pause", .tries = 1}};
static const struct hf_route resume_routes[] = {{.method = "POST", .path = ONE "/resume", .tries = 1},
                                                {.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route zero_routes[] = {{.method = "POST", .path = ONE "/scale-to-zero", .tries = 1}};
static const struct hf_route catalog_routes[] = {{.method = "GET",
                                                  .path = "/api/v1/catalog/list",
                                                  .query = "accelerator engine license task search limit",
                                                  .tries = 1}};
static const struct hf_route from_catalog_routes[] = {
    {.method = "POST", .path = "/api/v1/catalog/recipe/{recipe}/deploy", .tries = 1},
    {.method = "POST", .path = "/api/v1/catalog/model/{+repo}/deploy", .tries = 1}};

#define CATALOG_ROW(name_, aliases_, group_, flags_)                       \
  {                                                                        \
    .task = {.name = name_,                                                \
             .aliases = aliases_,                                          \
             .group_help = group_,                                         \
             .summary = "List the models that can be deployed by recipe.", \
             .examples = "hf endpoints catalog ls --engine vllm",          \
             .params = HF_TABLE(catalog_params),                           \
             .id_key = "recipe_id",                                        \
             HF_ROUTES(catalog_routes),                                    \
             .flags = HF_ROW_READS | (flags_),                             \
             .run = hf_hub_endpoints_catalog,                              \
             .api = "list_inference_catalog"},                             \
    .failed = "Catalog fetch"                                              \
  }

static const struct hf_hub_row rows[] = {
    {.task = {.name = "endpoints.list",
              .aliases = "ls",
              .group_help = "Models that are served on machines of their own.",
              .summary = "List the Inference Endpoints of a namespace.",
              .examples = "hf endpoints ls --namespace my-org",
              .params = HF_TABLE(list_params),
              .id_key = "name",
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_endpoints_list,
              .api = "list_inference_endpoints"},
     .failed = "Listing"},
    {.task = {.name = "endpoints.hardware",
              .summary = "List the machines that an endpoint can run on, with their prices and your quota.",
              .examples = "hf endpoints hardware --vendor aws --accelerator gpu",
              .params = HF_TABLE(hardware_params),
              HF_ROUTES(hardware_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_endpoints_hardware,
              .api = "list_inference_endpoints_hardware"},
     .layout = "{\"headers\":[\"vendor\",\"region\",\"accelerator\",\"instance_type\",\"instance_size\",\"memory_gb\","
               "\"gpu_memory_gb\",\"price_per_hour\",\"quota\",\"status\"],\"id_key\":\"id\"}"},
    {.task = {.name = "endpoints.deploy",
              .summary = "Serve a model of the Hub.",
              .examples = "hf endpoints deploy my-endpoint --repo gpt2 --framework pytorch --accelerator cpu "
                          "--instance-size x2 --instance-type intel-icl --region us-east-1 --vendor aws",
              .params = HF_TABLE(deploy_params),
              HF_ROUTES(deploy_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_endpoints_deploy,
              .api = "create_inference_endpoint"},
     .hints = {"Use 'hf endpoints describe {name}' to check the deployment status."}},
    CATALOG_ROW("endpoints.catalog.list", "ls", "Models that can be deployed by a recipe that was tried out.", 0),
    {.task = {.name = "endpoints.catalog.deploy",
              .summary = "Serve a model by a recipe.",
              .examples = "hf endpoints catalog deploy --repo meta-llama/Llama-3.2-1B-Instruct",
              .params = HF_TABLE(from_catalog_params),
              HF_ROUTES(from_catalog_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_endpoints_from_catalog,
              .api = "create_inference_endpoint_from_catalog"},
     .failed = "Deployment"},
    CATALOG_ROW("endpoints.list-catalog", NULL, NULL, HF_TK_HIDDEN),
    {.task = {.name = "endpoints.describe",
              .summary = "Show an endpoint.",
              .examples = "hf endpoints describe my-endpoint",
              .params = HF_TABLE(name_params),
              HF_ROUTES(describe_routes),
              .flags = HF_ROW_READS,
              .api = "get_inference_endpoint"},
     .failed = "Fetch"},
    {.task = {.name = "endpoints.update",
              .summary = "Change an endpoint.",
              .examples = "hf endpoints update my-endpoint --min-replica 2",
              .params = HF_TABLE(update_params),
              HF_ROUTES(update_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_endpoints_update,
              .api = "update_inference_endpoint"},
     .failed = "Update"},
    {.task = {.name = "endpoints.delete",
              .summary = "Delete an endpoint for good.",
              .examples = "hf endpoints delete my-endpoint",
              .params = HF_TABLE(delete_params),
              HF_ROUTES(delete_routes),
              .flags = HF_ROW_DESTROYS,
              .api = "delete_inference_endpoint",
              .confirm = "Delete endpoint '{name}'?",
              .done = "Deleted '{name}'.",
              .result = "name"},
     .failed = "Delete"},
    {.task = {.name = "endpoints.pause",
              .summary = "Stop an endpoint until it is resumed.",
              .examples = "hf endpoints pause my-endpoint",
              .params = HF_TABLE(name_params),
              HF_ROUTES(pause_routes),
              .flags = HF_ROW_WRITES,
              .api = "pause_inference_endpoint"},
     .failed = "Pause"},
    {.task = {.name = "endpoints.resume",
              .summary = "Let an endpoint run again.",
              .examples = "hf endpoints resume my-endpoint",
              .params = HF_TABLE(resume_params),
              HF_ROUTES(resume_routes),
              .flags = HF_ROW_WRITES,
              .api = "resume_inference_endpoint"},
     .failed = "Resume"},
    {.task = {.name = "endpoints.scale-to-zero",
              .summary = "Stop an endpoint until the next request.",
              .examples = "hf endpoints scale-to-zero my-endpoint",
              .params = HF_TABLE(name_params),
              HF_ROUTES(zero_routes),
              .flags = HF_ROW_WRITES,
              .api = "scale_to_zero_inference_endpoint"},
     .failed = "Scale To Zero"},
};

const struct hf_tasks hf_hub_tasks_endpoints = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "hub-endpoints", "Inference Endpoints", HF_THREADS_ANY, 10, 0),
    .tasks = HF_TABLE(rows),
    .run_row = run_row};
