/* endpoints_list.c - `hf endpoints list` and `hardware`: the endpoints of one namespace or of all, and what they can run on.
 * Machines are listed smallest first; without --all only those that can be had now.
 * What matches nothing is told by name, as the host's own list says. */
#include "endpoints.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- list ----------------------------------------------------------------------------------------------------------------- */

static const struct {
  const char *name, *group, *from;
} shown[] = {
    {"name", NULL, "name"},           {"model", "model", "repository"},    {"status", "status", "state"},
    {"task", "model", "task"},        {"framework", "model", "framework"}, {"instance", "compute", "instanceType"},
    {"vendor", "provider", "vendor"}, {"region", "provider", "region"}};

/* What the answer does not speak of is "", what it says is nothing stays null. */
static hf_status show_endpoint(hf_call *c, hf_out *out, const json_t *raw) {
  json_t *item = json_object();
  for (size_t i = 0; item && i < HF_COUNT(shown); i++) {
    const json_t *group = shown[i].group ? json_object_get(raw, shown[i].group) : raw;
    json_t *value = json_object_get(group, shown[i].from);
    if (json_object_set_new(item, shown[i].name, value ? json_incref(value) : json_string(""))) break;
  }
  return hf_hub_record(out, c, HF_OUT_ITEM, item);
}

static hf_status list_space(struct hf_hub *hub, const char *space, json_t **items) {
  json_t *answer = NULL;
  const char *url = hf_hub_endpoints_url(hub->call, "/v2/endpoint/{namespace}", space, NULL);
  TRY(hf_hub_endpoints_ask(hub, "GET", url, NULL, &answer));
  *items = json_incref(json_object_get(answer, "items"));
  json_decref(answer);
  if (json_is_array(*items)) return HF_OK;
  json_decref(*items);
  *items = NULL;
  return hf_hub_fail(hub->call, HF_EPROTO, NULL, "The answer of %s holds no list; check proxies and HF_URL_REWRITE.",
                     url);
}

/* Your own ones, then those of your organizations; one that does not let you is left out. */
static hf_status list_all(struct hf_hub *hub, json_t **items) {
  const char *token, *name;
  json_t *info, *org, *more;
  size_t i;
  TRY(hf_hub_token(hub, &token));
  TRY(hf_hub_whoami(hub, token, &info));
  hf_status st = list_space(hub, hf_hub_get(info, "name"), items);
  json_array_foreach(json_object_get(info, "orgs"), i, org) {
    if (st != HF_OK || !(name = hf_hub_get(org, "name"))) continue;
    hf_status one = list_space(hub, name, &more);
    if (one == HF_OK) json_array_extend(*items, more);
    if (one == HF_OK) json_decref(more);
    const struct hf_error *e = one == HF_OK ? NULL : hf_host()->error(hub->call);
    if (e && e->http_status)
      hf_host()->clear(hub->call);
    else
      st = one;
  }
  json_decref(info);
  if (st != HF_OK) json_decref(*items);
  return st;
}

hf_status hf_hub_endpoints_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.list");
  const char *space = hf_hub_arg(args, "namespace");
  struct hf_hub hub;
  json_t *items = NULL, *raw;
  size_t i;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_status st;
  if (space && !strcmp(space, "*")) {
    st = list_all(&hub, &items);
  } else {
    st = hf_hub_endpoints_space(&hub, args, &space);
    if (st == HF_OK) st = list_space(&hub, space, &items);
  }
  if (st != HF_OK) return hf_hub_endpoints_failed(c, row->failed, st);
  json_array_foreach(items, i, raw) if (st == HF_OK) st = show_endpoint(c, out, raw);
  json_decref(items);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

/* ---- hardware ------------------------------------------------------------------------------------------------------------- */

static const struct hf_hub_field machine_fields[] = {
    {.name = "id", .needed = true},
    {.name = "vendor", .needed = true},
    {.name = "region", .needed = true},
    {.name = "accelerator", .needed = true},
    {.name = "instance_type", .from = "instanceType", .needed = true},
    {.name = "instance_size", .from = "instanceSize", .needed = true},
    {.name = "architecture", .needed = true},
    {.name = "num_accelerators", .from = "numAccelerators", .needed = true},
    {.name = "num_cpus", .from = "numCpus"},
    {.name = "memory_gb", .from = "memoryGb", .needed = true},
    {.name = "gpu_memory_gb", .from = "gpuMemoryGb"},
    {.name = "price_per_hour", .from = "pricePerHour", .needed = true},
    {.name = "status", .needed = true},
    {.name = "max_accelerators", .from = "quota/maxAccelerators", .needed = true},
    {.name = "used_accelerators", .from = "quota/usedAccelerators", .needed = true}};

static int64_t number(const json_t *v, const char *key) {
  return json_integer_value(json_object_get(v, key));
}

static const char *word(const json_t *v, const char *key) {
  const char *text = hf_hub_get(v, key);
  return text ? text : "";
}

static hf_status each_machine(hf_call *c, const json_t *vendor, const json_t *region, json_t *list) {
  size_t i;
  json_t *compute;
  json_array_foreach(json_object_get(region, "computes"), i, compute) {
    json_t *made, *whole = json_copy(compute);
    json_object_set(whole, "vendor", json_object_get(vendor, "name"));
    json_object_set(whole, "region", json_object_get(region, "name"));
    hf_status st = hf_hub_shape_fields(c, machine_fields, HF_COUNT(machine_fields), whole, &made);
    json_decref(whole);
    TRY(st);
    const char *quota = hf_hub_text(c, "%lld/%lld", (long long)number(made, "used_accelerators"),
                                    (long long)number(made, "max_accelerators"));
    if (json_object_set_new(made, "quota", json_string(quota ? quota : "")) || json_array_append_new(list, made))
      return HF_ENOMEM;
  }
  return HF_OK;
}

static hf_status machines(struct hf_hub *hub, const char *space, json_t **list) {
  json_t *answer = NULL, *vendor, *region;
  size_t i, k;
  const char *url = hf_hub_endpoints_url(hub->call, "/v2/provider/{namespace}", space, NULL);
  TRY(hf_hub_endpoints_ask(hub, "GET", url, NULL, &answer));
  const json_t *vendors = json_object_get(answer, "vendors");
  hf_status st = json_is_array(vendors) ? HF_OK
                                        : hf_hub_fail(hub->call, HF_EPROTO, NULL,
                                                      "The answer of %s holds no list; check proxies and "
                                                      "HF_URL_REWRITE.",
                                                      url);
  *list = json_array();
  json_array_foreach((json_t *)(uintptr_t)vendors, i, vendor) {
    json_array_foreach(json_object_get(vendor, "regions"), k, region) {
      if (st == HF_OK) st = each_machine(hub->call, vendor, region, *list);
    }
  }
  json_decref(answer);
  if (st == HF_OK) return *list ? HF_OK : HF_ENOMEM;
  json_decref(*list);
  return st;
}

static bool deployable(const json_t *machine) {
  const char *status = word(machine, "status");
  return strcmp(status, "deprecated") != 0 && strcmp(status, "not_available") != 0 &&
         number(machine, "max_accelerators") - number(machine, "used_accelerators") >=
             number(machine, "num_accelerators");
}

static const struct {
  const char *option, *name;
} filters[] = {{"--vendor", "vendor"},
               {"--region", "region"},
               {"--accelerator", "accelerator"},
               {"--instance-type", "instance_type"}};

static bool matches(const json_t *machine, const hf_args *args) {
  for (size_t i = 0; i < HF_COUNT(filters); i++) {
    const char *wanted = hf_hub_arg(args, filters[i].name);
    if (wanted && strcasecmp(wanted, word(machine, filters[i].name)) != 0) return false;
  }
  return true;
}

/* Smallest first for each kind of machine: the name of a size does not sort so. */
static int by_size(const void *a, const void *b) {
  static const char *const keys[] = {"vendor", "region", "accelerator", "instance_type"};
  const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
  for (size_t i = 0; i < HF_COUNT(keys); i++) {
    int order = strcmp(word(x, keys[i]), word(y, keys[i]));
    if (order) return order;
  }
  int64_t n = number(x, "num_accelerators"), m = number(y, "num_accelerators");
  return n < m ? -1 : n > m;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "--vendor 'x' (valid: a, b)" for a value that no machine has; "": there is one. */
static const char *unknown(hf_call *c, const json_t *all, size_t filter, const char *wanted) {
  size_t n = 0, i, count = json_array_size(all);
  const char **names = hf_host()->arena(c, (count + 1) * sizeof *names), *list = "";
  json_t *machine;
  if (!names) return NULL;
  json_array_foreach((json_t *)(uintptr_t)all, i, machine) {
    names[n++] = word(machine, filters[filter].name);
    if (!strcasecmp(names[n - 1], wanted)) return "";
  }
  qsort(names, n, sizeof *names, by_name);
  for (i = 0; list && i < n; i++)
    if (!i || strcmp(names[i], names[i - 1]) != 0) list = hf_hub_text(c, "%s%s%s", list, i ? ", " : "", names[i]);
  return list ? hf_hub_text(c, "%s '%s' (valid: %s)", filters[filter].option, wanted, list) : NULL;
}

static hf_status hint_nothing(hf_call *c, hf_out *out, const json_t *all, const hf_args *args) {
  const char *list = "";
  for (size_t i = 0; list && i < HF_COUNT(filters); i++) {
    const char *wanted = hf_hub_arg(args, filters[i].name), *one = wanted ? unknown(c, all, i, wanted) : "";
    list = one ? *one ? hf_hub_text(c, "%s%s%s", list, *list ? "; " : "", one) : list : NULL;
  }
  const char *hint = !list   ? NULL
                     : *list ? hf_hub_text(c, "No such hardware: %s.", list)
                             : "No hardware matches all of these filters at once. Try dropping one.";
  return hint ? hf_hub_say(out, c, HF_OUT_HINT, hint) : HF_ENOMEM;
}

hf_status hf_hub_endpoints_hardware(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.hardware");
  const char *space, *hint = NULL;
  struct hf_hub hub;
  json_t *all;
  size_t matching = 0, n = 0;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_endpoints_space(&hub, args, &space));
  TRY(machines(&hub, space, &all));
  size_t count = json_array_size(all);
  json_t **visible = hf_host()->arena(c, (count + 1) * sizeof *visible);
  hf_status st = visible ? hf_host()->record(out, HF_OUT_LAYOUT, row->layout, strlen(row->layout)) : HF_ENOMEM;
  for (size_t i = 0; st == HF_OK && i < count; i++) {
    json_t *machine = json_array_get(all, i);
    if (!matches(machine, args)) continue;
    matching++;
    if (hf_hub_given(args, "show_all") || deployable(machine)) visible[n++] = machine;
  }
  if (st == HF_OK) qsort(visible, n, sizeof *visible, by_size);
  for (size_t i = 0; st == HF_OK && i < n; i++) {
    st = hf_hub_record(out, c, HF_OUT_ITEM, json_incref(visible[i]));
    if (!hint && deployable(visible[i]))
      hint = hf_hub_text(c,
                         "Deploy on one of these, e.g.: hf endpoints deploy my-endpoint --repo <repo> --framework "
                         "<framework> --vendor %s --region %s --accelerator %s --instance-type %s --instance-size %s",
                         word(visible[i], "vendor"), word(visible[i], "region"), word(visible[i], "accelerator"),
                         word(visible[i], "instance_type"), word(visible[i], "instance_size"));
  }
  if (st == HF_OK) st = hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
  if (!hint && n) hint = "None of these can be deployed on right now, see the QUOTA and STATUS columns.";
  if (!hint && matching) hint = "Use '--all' to also show hardware that cannot be deployed on right now.";
  if (st == HF_OK) st = hint ? hf_hub_say(out, c, HF_OUT_HINT, hint) : hint_nothing(c, out, all, args);
  json_decref(all);
  return st;
}
