/* collections.c - `hf collections`: lists of repos, papers and buckets that people keep on the Hub.
 * Rows; functions where an answer of 409 leads to another request, and where the address of a collection is part of the result.
 * A slug is two segments of an address, "owner/title-id". */
#include "rows.h"

#include <string.h>

static const struct hf_hub_field item_fields[] = {{.name = "item_object_id", .from = "_id", .needed = true},
                                                  {.name = "item_id", .from = "slug", .or_from = "id"},
                                                  {.name = "item_type", .from = "type", .needed = true},
                                                  {.name = "position", .needed = true},
                                                  {.name = "note", .from = "note/text"}};
static const struct hf_hub_field fields[] = {
    {.name = "slug", .needed = true},
    {.name = "title", .needed = true},
    {.name = "owner"},
    {.name = "items", HF_HUB_FIELDS(item_fields)},
    {.name = "last_updated", .from = "lastUpdated", .shape = hf_hub_field_date},
    {.name = "position"},
    {.name = "private"},
    {.name = "theme"},
    {.name = "upvotes"},
    {.name = "description"}};

/* ---- making and changing ---------------------------------------------------------------------------------------------- */

/* The result, with the address of the collection that `answer` is; takes it. */
static hf_status tell(struct hf_hub *hub, const struct hf_hub_row *row, const hf_args *args, json_t *answer) {
  hf_call *c = hub->call;
  const char *slug = hf_hub_get(answer, "slug");
  const char *url = slug ? hf_hub_text(c, "%s/collections/%s", hub->endpoint, slug) : NULL;
  hf_status st = slug ? url ? HF_OK : HF_ENOMEM
                      : hf_hub_fail(c, HF_EPROTO, NULL, "The Hub's answer lacks \"slug\"; check HF_ENDPOINT.");
  if (st == HF_OK) json_object_set_new(answer, "url", json_string(url));
  if (st == HF_OK) st = hf_hub_shown_result(c, hub->out, row, args, answer);
  json_decref(answer);
  return st;
}

static const char *collection_url(struct hf_hub *hub, const char *slug) {
  const char *quoted = hf_hub_quote(hub->call, slug, "/");
  return quoted ? hf_hub_at(hub, "collections/%s", quoted) : NULL;
}

/* POST; a 409 with --exists-ok is the collection that is there: slug NULL: the one that the answer names. */
static hf_status post(struct hf_hub *hub, const hf_args *args, const char *url, json_t *body, const char *slug,
                      json_t **answer) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  if (!url || !body) return json_decref(body), HF_ENOMEM;
  TRY(hf_hub_send_json(hub, "POST", url, body, HF_HTTP_ANY_STATUS, &resp));
  if (resp.status == 409 && hf_hub_given(args, "exists_ok")) {
    json_t *there = NULL;
    if (!slug) {
      TRY(hf_hub_parse(c, resp.body, resp.body_len, url, &there));
      slug = hf_hub_get(there, "slug") ? hf_host()->intern(c, hf_hub_get(there, "slug"), SIZE_MAX) : NULL;
      json_decref(there);
    }
    if (!slug) return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub does not say which collection is there already.");
    return hf_hub_ask(hub, "GET", collection_url(hub, slug), NULL, answer);
  }
  TRY(hf_hub_raise(hub, &(struct hf_hub_req){.method = "POST", .url = url}, &resp));
  return hf_hub_parse(c, resp.body, resp.body_len, url, answer);
}

static hf_status run_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *owner = hf_hub_arg(args, "namespace"), *about = hf_hub_arg(args, "description"), *token;
  json_t *info, *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  if (!owner) {
    TRY(hf_hub_token(&hub, &token));
    TRY(hf_hub_whoami(&hub, token, &info));
    owner = hf_host()->intern(c, hf_hub_get(info, "name"), SIZE_MAX);
    json_decref(info);
  }
  json_t *body = json_pack("{s:s, s:s, s:b}", "title", hf_hub_arg(args, "title"), "namespace", owner, "private",
                           (int)hf_hub_given(args, "private"));
  if (body && about) json_object_set_new(body, "description", json_string(about));
  TRY(post(&hub, args, hf_hub_at(&hub, "collections"), body, NULL, &answer));
  return tell(&hub, hf_hub_row_of(c, "collections.create"), args, answer);
}

static hf_status run_add(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *slug = hf_hub_arg(args, "collection_slug"), *note = hf_hub_arg(args, "note"), *url;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  json_t *body =
      json_pack("{s:{s:s, s:s}}", "item", "id", hf_hub_arg(args, "item_id"), "type", hf_hub_arg(args, "item_type"));
  if (body && note) json_object_set_new(body, "note", json_string(note));
  url = collection_url(&hub, slug);
  TRY(post(&hub, args, url ? hf_hub_text(c, "%s/items", url) : NULL, body, slug, &answer));
  return tell(&hub, hf_hub_row_of(c, "collections.add-item"), args, answer);
}

static hf_status run_update(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "collections.update");
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, 0, args, &answer));
  json_t *data = json_incref(json_object_get(answer, "data"));
  json_decref(answer);
  return tell(&hub, row, args, data);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

#define SLUG     HF_WORD("collection_slug", "COLLECTION_SLUG", "The collection, such as `username/collection-slug`.")
#define ITEM_KEY HF_WORD("item_object_id", "ITEM_OBJECT_ID", "The item's own id, as `hf collections info` shows it.")

static const struct hf_param list_params[] = {
    HF_TEXT("owner", "Only those of this user or organization."),
    HF_TEXT("item", "Only those that hold this item, such as \"models/gpt2\" or \"papers/2311.12983\"."),
    {.name = "sort", .help = "What comes first.", .choices = "lastModified,trending,upvotes", .type = HF_P_CHOICE},
    HF_NUMBER("limit", "10", "At most so many."),
    HF_TOKEN_PARAM};
static const struct hf_param info_params[] = {SLUG, HF_TOKEN_PARAM};
static const struct hf_param create_params[] = {
    HF_WORD("title", "TITLE", "Its title."),
    HF_TEXT("namespace", "Who owns it: a user or an organization; you without it."),
    HF_TEXT("description", "What it is about, at most 150 characters."),
    HF_ON_OFF("private", "Only for you and your organization."),
    HF_ON_OFF("exists_ok", "No error when it is there already."),
    HF_TOKEN_PARAM};
static const struct hf_param update_params[] = {SLUG,
                                                HF_TEXT("title", "The new title."),
                                                HF_TEXT("description", "The new description, at most 150 characters."),
                                                HF_NUMBER("position", NULL, "Its new place in the owner's list."),
                                                {.name = "private",
                                                 .help = "Only for you and your organization, or for everybody.",
                                                 .type = HF_P_BOOL,
                                                 .flags = HF_PF_TRISTATE},
                                                HF_TEXT("theme", "Its colour, such as 'green' or 'blue'."),
                                                HF_TOKEN_PARAM};
static const struct hf_param delete_params[] = {SLUG, HF_ON_OFF("missing_ok", "No error when it is not there."),
                                                HF_TOKEN_PARAM};
static const struct hf_param add_params[] = {SLUG,
                                             HF_WORD("item_id", "ITEM_ID", "What to add: id of a repo or of a paper."),
                                             {.name = "item_type",
                                              .value_name = "ITEM_TYPE",
                                              .help = "Kind of item.",
                                              .choices = "model,dataset,space,paper,collection,bucket",
                                              .type = HF_P_CHOICE,
                                              .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
                                             HF_TEXT("note", "Note on it, at most 500 characters."),
                                             HF_ON_OFF("exists_ok", "No error when it is in the collection already."),
                                             HF_TOKEN_PARAM};
static const struct hf_param update_item_params[] = {
    SLUG, ITEM_KEY, HF_TEXT("note", "The new note, at most 500 characters."),
    HF_NUMBER("position", NULL, "Its new place in the collection."), HF_TOKEN_PARAM};
static const struct hf_param delete_item_params[] = {
    SLUG, ITEM_KEY, HF_ON_OFF("missing_ok", "No error when it is not there."), HF_TOKEN_PARAM};

#define ONE  "/api/collections/{+collection_slug}"
#define ITEM ONE "/items/{item_object_id}"
static const struct hf_route list_routes[] = {
    {.method = "GET", .path = "/api/collections", .query = "owner item sort limit", .paging = HF_PAGE_LINK}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route create_routes[] = {
    {.method = "POST", .path = "/api/collections", .body = "title namespace private description", .tries = 1}};
static const struct hf_route update_routes[] = {
    {.method = "PATCH", .path = ONE, .body = "position private theme title description", .tries = 1}};
static const struct hf_route delete_routes[] = {{.method = "DELETE", .path = ONE, .tries = 1}};
static const struct hf_route add_routes[] = {
    {.method = "POST", .path = ONE "/items", .body = "item=item_id note", .tries = 1}};
static const struct hf_route update_item_routes[] = {
    {.method = "PATCH", .path = ITEM, .body = "position note", .tries = 1}};
static const struct hf_route delete_item_routes[] = {{.method = "DELETE", .path = ITEM, .tries = 1}};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "collections.list",
              .aliases = "ls",
              .group_help = "Interact with collections on the Hub.",
              .summary = "List collections.",
              .examples = "hf collections ls --owner nvidia\nhf collections ls --item models/gpt2 --limit 10",
              .params = HF_TABLE(list_params),
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .api = "list_collections"},
     HF_HUB_SHOWS(fields),
     .flags = HF_ROW_COUNTED},
    {.task = {.name = "collections.info",
              .summary = "Show a collection and what it holds.",
              .examples = "hf collections info username/my-collection-slug",
              .params = HF_TABLE(info_params),
              HF_ROUTES(info_routes),
              .flags = HF_ROW_READS,
              .api = "get_collection"},
     HF_HUB_SHOWS(fields)},
    {.task = {.name = "collections.create",
              .summary = "Make a collection.",
              .examples = "hf collections create \"My Models\" --description \"What I use\" --private",
              .params = HF_TABLE(create_params),
              HF_ROUTES(create_routes),
              .flags = HF_ROW_WRITES,
              .run = run_create,
              .api = "create_collection",
              .done = "Collection created",
              .result = "slug=@slug url=@url"}},
    {.task = {.name = "collections.update",
              .summary = "Change what a collection is called and how it looks.",
              .examples = "hf collections update username/my-collection --title \"New Title\"",
              .params = HF_TABLE(update_params),
              HF_ROUTES(update_routes),
              .flags = HF_ROW_WRITES,
              .run = run_update,
              .api = "update_collection_metadata",
              .done = "Collection updated",
              .result = "slug=@slug url=@url"}},
    {.task = {.name = "collections.delete",
              .summary = "Delete a collection.",
              .examples = "hf collections delete username/my-collection",
              .params = HF_TABLE(delete_params),
              HF_ROUTES(delete_routes),
              .flags = HF_ROW_WRITES,
              .api = "delete_collection",
              .done = "Collection deleted",
              .result = "slug=collection_slug"},
     .forgiving = "missing_ok",
     .forgiven = 404},
    {.task = {.name = "collections.add-item",
              .summary = "Put a repo, paper, collection or bucket into a collection.",
              .examples = "hf collections add-item username/my-collection Qwen/DeepPlanning dataset --note \"Useful\"",
              .params = HF_TABLE(add_params),
              HF_ROUTES(add_routes),
              .flags = HF_ROW_WRITES,
              .run = run_add,
              .api = "add_collection_item",
              .done = "Item added to collection",
              .result = "slug=collection_slug url=@url"}},
    {.task = {.name = "collections.update-item",
              .summary = "Change the note or the place of an item.",
              .examples = "hf collections update-item username/my-collection ITEM_OBJECT_ID --position 0",
              .params = HF_TABLE(update_item_params),
              HF_ROUTES(update_item_routes),
              .flags = HF_ROW_WRITES,
              .api = "update_collection_item",
              .done = "Item updated in collection",
              .result = "slug=collection_slug"}},
    {.task = {.name = "collections.delete-item",
              .summary = "Take an item out of a collection.",
              .params = HF_TABLE(delete_item_params),
              HF_ROUTES(delete_item_routes),
              .flags = HF_ROW_WRITES,
              .api = "delete_collection_item",
              .done = "Item deleted from collection",
              .result = "slug=collection_slug"},
     .forgiving = "missing_ok",
     .forgiven = 404},
};

const struct hf_tasks hf_hub_tasks_collections = HF_HUB_ROWS("hub-collections", "Collections", HF_TABLE(rows));
