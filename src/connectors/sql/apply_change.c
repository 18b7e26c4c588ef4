/* Which statements a change takes, and in which order. */
#include "connectors/sql/apply_internal.h"

/* Nothing, where there is nothing to set. */
static enum status item_run(struct apply *apply, const struct sql_apply_item *item,
                            const struct sql_apply_image *image, enum sql_apply_kind kind,
                            struct sql_apply_refused *refused, struct error *error)
{
    enum status status = sql_apply_run(apply, item, image, kind, refused, error);
    return status == STATUS_END ? STATUS_OK : status;
}

enum status sql_apply_remove_old(struct apply *apply, const struct sql_apply_item *item,
                                 const struct sql_apply_image *image,
                                 struct sql_apply_refused *refused, struct error *error)
{
    return image->old ? item_run(apply, item, image, SQL_APPLY_REMOVE, refused, error) : STATUS_OK;
}

static enum status move_fixed(struct apply *apply, const struct sql_apply_item *item,
                              const struct sql_apply_image *image,
                              struct sql_apply_refused *refused, struct error *error)
{
    if (!image->whole) {
        refused->code = ERROR_REJECT_CONSTRAINT;
        refused->reason = arena_format(refused->arena,
                                       "its key changes, which is GENERATED ALWAYS in the target, "
                                       "and not all of the record was sent");
        return STATUS_AGAIN;
    }
    enum status status = sql_apply_remove_old(apply, item, image, refused, error);
    return status == STATUS_OK ? item_run(apply, item, image, SQL_APPLY_PUT, refused, error)
                               : status;
}

/* The record gets its new key with its other values. Where it is not there, it may be under the new
 * key already, or nowhere. */
static enum status apply_change_move(struct apply *apply, const struct sql_apply_item *item,
                                     const struct sql_apply_image *image,
                                     struct sql_apply_refused *refused, struct error *error)
{
    enum status status = item_run(apply, item, image, SQL_APPLY_MOVE, refused, error);
    return status == STATUS_OK
               ? item_run(apply, item, image, image->whole ? SQL_APPLY_ADD : SQL_APPLY_PATCH,
                          refused, error)
               : status;
}

/*
 * A target may be ahead of the position, where a copy read later than it: then a record may be
 * under its new key already, and it is the one to keep. Each of these steps does nothing where the
 * others have done it.
 */
static enum status make_way(struct apply *apply, const struct sql_apply_item *item,
                            const struct sql_apply_image *image, struct sql_apply_refused *refused,
                            struct error *error)
{
    enum status status = STATUS_OK;
    if (!image->whole) {
        status = item_run(apply, item, image, SQL_APPLY_PATCH, refused, error);
    }
    if (status == STATUS_OK) {
        status = item_run(apply, item, image, SQL_APPLY_MAKE_WAY, refused, error);
    }
    if (status == STATUS_OK) {
        status = item_run(apply, item, image, SQL_APPLY_MOVE, refused, error);
    }
    return status == STATUS_OK && image->whole
               ? item_run(apply, item, image, SQL_APPLY_PUT, refused, error)
               : status;
}

/* A record of a table without a key. What an earlier one of it left out, as a refused one did, or
 * somebody has deleted, is put: the record that was is not there under another form. */
static enum status update_whole(struct apply *apply, const struct sql_apply_item *item,
                                const struct sql_apply_image *image,
                                struct sql_apply_refused *refused, struct error *error)
{
    /* what was sent before is not to be counted */
    enum status status =
        apply->dialect->settle != NULL ? apply->dialect->settle(apply, refused, error) : STATUS_OK;
    if (status != STATUS_OK) {
        return status;
    }
    apply->counts = true;
    apply->changed = 0;
    status = item_run(apply, item, image, SQL_APPLY_MOVE, refused, error);
    status = status == STATUS_OK && apply->dialect->settle != NULL
                 ? apply->dialect->settle(apply, refused, error)
                 : status;
    apply->counts = false;
    return status == STATUS_OK && apply->changed == 0
               ? item_run(apply, item, image, SQL_APPLY_PUT, refused, error)
               : status;
}

enum status sql_apply_set_aside(struct apply *apply, const struct sql_apply_item *item,
                                const struct sql_apply_image *image,
                                struct sql_apply_refused *refused, struct error *error)
{
    return sql_apply_is_whole(image)
               ? STATUS_END
               : sql_apply_run(apply, item, image, SQL_APPLY_ASIDE, refused, error);
}

enum status sql_apply_put_new(struct apply *apply, const struct sql_apply_item *item,
                              const struct sql_apply_image *image,
                              struct sql_apply_refused *refused, struct error *error)
{
    return item_run(apply, item, image, SQL_APPLY_PUT, refused, error);
}

enum status sql_apply_change_at_last(struct apply *apply, const struct sql_apply_item *item,
                                     const struct sql_apply_image *image,
                                     struct sql_apply_refused *refused, struct error *error)
{
    bool makes_way = item->change->after != NULL && image->moves && !sql_apply_is_whole(image) &&
                     !sql_apply_has_fixed_key(image) && !apply->cascades;
    return makes_way ? make_way(apply, item, image, refused, error)
                     : sql_apply_change(apply, item, image, refused, error);
}

enum status sql_apply_change(struct apply *apply, const struct sql_apply_item *item,
                             const struct sql_apply_image *image, struct sql_apply_refused *refused,
                             struct error *error)
{
    if (item->change->operation == RECORD_TRUNCATE) {
        return item_run(apply, item, image, SQL_APPLY_EMPTY, refused, error);
    }
    if (item->change->after == NULL) {
        return sql_apply_remove_old(apply, item, image, refused, error);
    }
    if (image->moves && sql_apply_is_whole(image)) {
        return update_whole(apply, item, image, refused, error);
    }
    if (image->moves && sql_apply_has_fixed_key(image)) {
        return move_fixed(apply, item, image, refused, error);
    }
    if (image->moves) {
        return apply_change_move(apply, item, image, refused, error);
    }
    return item_run(apply, item, image, image->whole ? SQL_APPLY_PUT : SQL_APPLY_PATCH, refused,
                    error);
}
