/* Which BSON types become which kinds, and the normal form of values. */
#include "connectors/mongodb/mongodb.h"

#define HINTED "exact between MongoDB databases, else widened"

const struct type_mapping mongodb_types[MONGODB_TYPE_COUNT] = {
    {"int", VALUE_INT64, "32 bits", "what 32 bits hold", "exact"},
    {"long", VALUE_INT64, "64 bits", "what 32 bits do not hold", "exact"},
    {"decimal", VALUE_UINT64, NULL, "above 2^63 as Decimal128, else as int or long", "widened"},
    {"double", VALUE_FLOAT64, "with -0, NaN and the infinities", "the same", "exact"},
    {"double", VALUE_FLOAT32, NULL, "as the double that it is", "widened"},
    {"decimal", VALUE_DECIMAL, "Decimal128, the scale kept",
     "Decimal128; more than 34 digits reject the record", "exact up to 34 digits"},
    {"string", VALUE_TEXT, "one that is not UTF-8 rejects the record", "the same", "exact"},
    {"objectId", VALUE_TEXT, "24 hexadecimal digits", "a text from another database is a string",
     HINTED},
    {"javascript", VALUE_TEXT, "the code", NULL, HINTED},
    {"symbol", VALUE_TEXT, "the text", NULL, HINTED},
    {"binData", VALUE_BYTES, "of all subtypes but 4", "subtype 0", HINTED},
    {"binData 4", VALUE_UUID, "16 bytes", "subtype 4", "exact"},
    {"bool", VALUE_BOOL, "true, false", "the same", "exact"},
    {"date", VALUE_TIMESTAMP, "an instant in UTC, to milliseconds, years beyond 9999 included",
     "one without a zone as one in UTC; infinity and zero dates reject the record, "
     "and so does what is finer than milliseconds, unless the plan rounds (lossy: allow)",
     "widened"},
    {"date", VALUE_DATE, NULL, "midnight in UTC", "widened"},
    {"string", VALUE_TIME, NULL, "ISO 8601", "widened"},
    {"string", VALUE_INTERVAL, NULL, "ISO 8601", "widened"},
    {"object", VALUE_MAP, "fields in their order", "keys as texts", "exact"},
    {"array", VALUE_LIST, "elements in their order", "the same", "exact"},
    {"array", VALUE_SET, NULL, "as an array", "widened"},
    {"object, array", VALUE_JSON, NULL,
     "documents; a number with a fraction is a double if one is just that number, else a decimal",
     "widened"},
    {"date", VALUE_TEXT, "beyond the year 294,000: as below", NULL, HINTED},
    {"timestamp", VALUE_TEXT, "its canonical extended JSON", NULL, HINTED},
    {"regex", VALUE_TEXT, "the same", NULL, HINTED},
    {"minKey, maxKey", VALUE_TEXT, "the same", NULL, HINTED},
    {"undefined", VALUE_TEXT, "the same", NULL, HINTED},
    {"dbPointer, javascriptWithScope", VALUE_TEXT, "the same", NULL, HINTED},
};

/* Written and read again, but for what does not change by that. */
enum status mongodb_normal_form(struct database *database, const struct cell *cell,
                                struct arena *arena, struct cell *normal, struct error *error)
{
    (void)database;
    switch ((enum value_kind)cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT64:
    case VALUE_FLOAT64:
        *normal = *cell;
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_UUID:
        if (cell->length < MONGODB_DOCUMENT_BYTES_MAX) {
            *normal = *cell;
            return STATUS_OK;
        }
        break;
    case VALUE_DECIMAL:
        if ((cell->flags & CELL_SMALL) != 0) { /* as read.c makes it of those digits */
            *normal = *cell;
            normal->flags = CELL_SMALL;
            return STATUS_OK;
        }
        break;
    default:
        break;
    }
    struct buffer bytes = {0};
    struct mongodb_element element;
    size_t begin = mongodb_write_begin(&bytes);
    enum status status = mongodb_write_cell(&bytes, "v", 1, cell, MONGODB_DEPTH_MAX, error);
    mongodb_write_end(&bytes, begin);
    status = status == STATUS_OK
                 ? mongodb_find((const uint8_t *)bytes.data, bytes.length, "v", &element, error)
                 : status;
    status = status == STATUS_OK
                 ? mongodb_read_cell(&element, arena, MONGODB_DEPTH_MAX, normal, error)
                 : status;
    buffer_free(&bytes);
    return status;
}
