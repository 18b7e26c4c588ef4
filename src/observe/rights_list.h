/* The work that is left to do about rights after a copy, as state.json and the ledger's status keep
 * it. */
#ifndef TRANSHUME_OBSERVE_RIGHTS_LIST_H
#define TRANSHUME_OBSERVE_RIGHTS_LIST_H

#include "base/buffer.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * [{"kind":"grant","object":NAME,"text":WHY,"statement":SQL|null,"opens":BOOL}…], in the order in
 * which the statements are to be run; `opens`: somebody may more than in the source until it is
 * run. Where there are too many of them, the kind "more" has how many are not listed: "opening" of
 * those that open something, "statements" of those that do not and have one, "definers" of the kind
 * "definer". Read without trust: what is no such thing is passed over.
 */

/* How many of them open something; or do not, and have a statement that is to be run. */
uint32_t rights_list_count(const json_t *list, bool opens);
/* How many objects run as a definer who is not the account that copied. */
uint32_t rights_list_count_kept(const json_t *list);
/* A role that the target has not, and that other statements name: its statement comes first. */
bool rights_list_is_role(const json_t *item);
/* "orders: who may do what is not carried", for people; not escaped. */
void rights_list_append_head(const json_t *item, struct buffer *out);
/* The statement that it is about, of several lines perhaps; "": it has none. */
const char *rights_list_statement(const json_t *item);
#endif
