/* The effect of a conversion between two types on their values, before any value is seen. */
#include "model/convert_parts.h"

/*
 * Rows: from; columns: to, both in the order of enum value_kind from BOOL on. E exact, W widened,
 * L lossy, P partial, - impossible. Lengths, precision, scale and zones come on top, below.
 */
/* clang-format off */
static const char losses[VALUE_KIND_COUNT - VALUE_BOOL][VALUE_KIND_COUNT - VALUE_BOOL + 1] = {
    /*             bool      f32       text      time      uuid      set                       */
    /*              | int64  | float64 |  bytes   | timest. |  json   |  map                   */
    /*              |  | uint64 | decimal  |  date    | interval | list |   large escape       */
    /* bool      */ "EWWWWWW-----" "-W-----",
    /* int64     */ "PEPLLWW-----" "-W-----",
    /* uint64    */ "PPELLWW-----" "-W-----",
    /* float32   */ "PLLEWWW-----" "-W-----",
    /* float64   */ "PLLLEWW-----" "-W-----",
    /* decimal   */ "PLLLLEW-----" "-W-----",
    /* text      */ "PPPPPPEWPPPP" "PPPPP--",
    /* bytes     */ "------PE----" "PP-----",
    /* date      */ "------W-E-W-" "-W-----",
    /* time      */ "------W--E-P" "-W-----",
    /* timestamp */ "------W-LLE-" "-W-----",
    /* interval  */ "------W----E" "-W-----",
    /* uuid      */ "------WW----" "EW-----",
    /* json      */ "PPPPPPWWPPPP" "PEPPP--",
    /* list      */ "------W-----" "-WEP---",
    /* set       */ "------W-----" "-WWE---",
    /* map       */ "------W-----" "-W--E--",
    /* large     */ "------------" "-----E-",
    /* escape    */ "------PP----" "------E"};
/* clang-format on */

static enum conversion_loss loss_between(enum value_kind from, enum value_kind to)
{
    if (from <= VALUE_NULL) {
        return CONVERSION_EXACT;
    }
    if (to <= VALUE_NULL || from >= VALUE_KIND_COUNT || to >= VALUE_KIND_COUNT) {
        return CONVERSION_IMPOSSIBLE;
    }
    switch (losses[from - VALUE_BOOL][to - VALUE_BOOL]) {
    case 'E':
        return CONVERSION_EXACT;
    case 'W':
        return CONVERSION_WIDENED;
    case 'L':
        return CONVERSION_LOSSY;
    case 'P':
        return CONVERSION_PARTIAL;
    default:
        return CONVERSION_IMPOSSIBLE;
    }
}

bool convert_is_possible(enum value_kind from, enum value_kind to)
{
    return loss_between(from, to) != CONVERSION_IMPOSSIBLE;
}

/* The worse of two, where partial outweighs exact and widened but not lossy: what is lost in
 * silence must be allowed, what can't be converted is rejected one by one. */
static enum conversion_loss worse(enum conversion_loss left, enum conversion_loss right)
{
    static const int ranks[] = {[CONVERSION_EXACT] = 0,
                                [CONVERSION_WIDENED] = 1,
                                [CONVERSION_PARTIAL] = 2,
                                [CONVERSION_LOSSY] = 3,
                                [CONVERSION_IMPOSSIBLE] = 4};
    return ranks[left] >= ranks[right] ? left : right;
}

/* A number of kind `from` with so many whole digits into DECIMAL(precision, scale). */
static enum conversion_loss loss_of_whole(int32_t digits, const struct value_type *to)
{
    return to->precision > 0 && to->precision - to->scale < digits ? CONVERSION_PARTIAL
                                                                   : CONVERSION_WIDENED;
}

static enum conversion_loss loss_to_decimal(const struct value_type *from,
                                            const struct value_type *to)
{
    switch (from->kind) {
    case VALUE_BOOL:
        return loss_of_whole(1, to);
    case VALUE_INT64:
        return loss_of_whole(19, to);
    case VALUE_UINT64:
        return loss_of_whole(20, to);
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        return to->precision > 0 ? CONVERSION_LOSSY : CONVERSION_WIDENED;
    case VALUE_DECIMAL:
        break;
    default:
        return CONVERSION_EXACT; /* what the table says already */
    }
    if (to->precision == 0) {
        return CONVERSION_EXACT;
    }
    if (from->precision == 0 || from->scale > to->scale) {
        return CONVERSION_LOSSY;
    }
    if (from->precision - from->scale > to->precision - to->scale) {
        return CONVERSION_PARTIAL;
    }
    return from->scale == to->scale ? CONVERSION_EXACT : CONVERSION_WIDENED;
}

static enum conversion_loss loss_from_decimal(const struct value_type *from, enum value_kind to)
{
    int is_known = from->precision > 0;
    switch (to) {
    case VALUE_INT64:
        if (is_known && from->scale <= 0) {
            return from->precision - from->scale <= 18 ? CONVERSION_WIDENED : CONVERSION_PARTIAL;
        }
        return CONVERSION_LOSSY;
    case VALUE_UINT64:
        return is_known && from->scale <= 0 ? CONVERSION_PARTIAL : CONVERSION_LOSSY;
    case VALUE_FLOAT32:
        return is_known && from->precision <= 6 ? CONVERSION_WIDENED : CONVERSION_LOSSY;
    case VALUE_FLOAT64:
        return is_known && from->precision <= 15 ? CONVERSION_WIDENED : CONVERSION_LOSSY;
    default:
        return loss_between(VALUE_DECIMAL, to);
    }
}

/* A length limit of TEXT or BYTES. */
static enum conversion_loss loss_by_length(const struct value_type *from,
                                           const struct value_type *to)
{
    if ((to->kind != VALUE_TEXT && to->kind != VALUE_BYTES) || to->precision <= 0 || to->dynamic) {
        return CONVERSION_EXACT;
    }
    if (from->kind == VALUE_TEXT || from->kind == VALUE_BYTES) {
        int fits = from->precision > 0 && from->precision <= to->precision &&
                   (from->kind == to->kind || from->kind == VALUE_BYTES);
        return fits ? CONVERSION_EXACT : CONVERSION_LOSSY;
    }
    if (from->kind == VALUE_UUID) {
        int32_t characters = to->layout == TEXT_BARE ? 32 : 36;
        return to->precision >= (to->kind == VALUE_TEXT ? characters : 16) ? CONVERSION_EXACT
                                                                           : CONVERSION_PARTIAL;
    }
    return CONVERSION_PARTIAL;
}

enum conversion_loss convert_loss(const struct value_type *from, const struct value_type *to)
{
    if (convert_counts(from->kind, to)) {
        return CONVERSION_PARTIAL;
    }
    enum conversion_loss loss = loss_between(from->kind, to->kind);
    if (loss == CONVERSION_IMPOSSIBLE) {
        /* a dynamic column may well hold values of a kind that can be converted */
        return from->dynamic && to->kind > VALUE_NULL ? CONVERSION_PARTIAL : loss;
    }
    if (from->kind <= VALUE_NULL) {
        return loss;
    }
    if (to->kind == VALUE_DECIMAL && !to->dynamic) {
        loss = worse(loss, loss_to_decimal(from, to));
    } else if (from->kind == VALUE_DECIMAL) {
        loss = loss_from_decimal(from, to->kind);
    }
    loss = worse(loss, loss_by_length(from, to));
    int both_have_time = (from->kind == VALUE_TIMESTAMP && to->kind == VALUE_TIMESTAMP) ||
                         (from->kind == VALUE_TIME && to->kind == VALUE_TIME);
    if ((both_have_time && from->zoned != to->zoned) ||
        (from->kind == VALUE_DATE && to->kind == VALUE_TIMESTAMP && to->zoned)) {
        bool has_zone = to->zone != NULL && !from->zoned;
        loss = worse(loss, has_zone ? CONVERSION_PARTIAL : CONVERSION_LOSSY);
    }
    if (from->dynamic && !(to->dynamic && from->kind == to->kind)) {
        loss = worse(loss, CONVERSION_PARTIAL);
    }
    return loss;
}
