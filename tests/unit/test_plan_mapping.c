/* Every construct of a plan, from a real source through the mapping. */
#include "support_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_test shop;

static int open_shop(void **state)
{
    (void)state;
    plan_test_open(&shop, plan_test_shop, "dynamodb-json");
    return 0;
}

static int close_shop(void **state)
{
    (void)state;
    plan_test_close(&shop);
    return 0;
}

static void templates_and_star(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: PK, sort: SK }\n"
        "    entities:\n"
        "      artist:\n"
        "        from: Artist\n"
        "        fields:\n"
        "          PK: \"ARTIST#{ArtistId}\"\n"
        "          SK: META\n"
        "          \"*\": copy\n"
        "          Named: \"{{{Name}}}\"\n"
        "          Padded: \"{ArtistId:04}\"\n"
        "          ArtistId: { drop: true }\n",
        "artist {PK:\"ARTIST#1\",SK:\"META\",Name:\"AC/DC\",Named:\"{AC/DC}\",Padded:\"0001\"}\n"
        "artist {PK:\"ARTIST#2\",SK:\"META\",Name:\"Accept\",Named:\"{Accept}\",Padded:\"0002\"}\n"
        "artist {PK:\"ARTIST#3\",SK:\"META\",Padded:\"0003\"}\n");
}

/* Operation, write time, TTL and position; of a parent with embedded rows the newest write time. */
static void envelopes_are_carried(void **state)
{
    (void)state;
    shop.stamps = true;
    shop.stamped = 0;
    plan_test_records(&shop,
                      "  direct:\n"
                      "    key: { partition: ArtistId }\n"
                      "    from: Artist\n"
                      "    fields: { ArtistId: copy }\n",
                      "direct {ArtistId:1} @0,100,7,p0\n"
                      "direct {ArtistId:2} @1,101,7,p1\n"
                      "direct {ArtistId:3} @0,102,7,p2\n");
    shop.stamped = 0;
    plan_test_records(&shop,
                      "  made:\n"
                      "    key: { partition: PK }\n"
                      "    from: Artist\n"
                      "    where: ArtistId <> 2\n"
                      "    fields: { PK: \"A#{ArtistId}\" }\n",
                      "made {PK:\"A#1\"} @0,100,7,p0\n"
                      "made {PK:\"A#3\"} @0,102,7,p2\n");
    shop.stamped = 0;
    plan_test_records(&shop,
                      "  embedded:\n"
                      "    key: { partition: ArtistId }\n"
                      "    from: Artist\n"
                      "    fields:\n"
                      "      ArtistId: copy\n"
                      "      Albums: { embed: Album, fields: { AlbumId: copy } }\n",
                      "embedded {ArtistId:1,Albums:[{\"AlbumId\":1}]} @0,103,7,p0\n"
                      "embedded {ArtistId:2,Albums:[{\"AlbumId\":2},{\"AlbumId\":3}]} @1,105,7,p1\n"
                      "embedded {ArtistId:3,Albums:[]} @0,102,7,p2\n");
    shop.stamps = false;
}

/* Of a rejected record, too; the records behind it have their own. */
static void envelopes_of_rejects(void **state)
{
    (void)state;
    shop.stamps = true;
    shop.stamped = 0;
    plan_test_records(&shop,
                      "  direct:\n"
                      "    key: { partition: Name }\n"
                      "    from: Artist\n"
                      "    fields: { Name: copy }\n",
                      "direct {Name:\"AC/DC\"} @0,100,7,p0\n"
                      "direct {Name:\"Accept\"} @1,101,7,p1\n"
                      "direct REJECT key-null 3: the key field Name is null @0,102,7,p2\n");
    shop.stamped = 0;
    plan_test_records(&shop,
                      "  embedded:\n"
                      "    key: { partition: PK }\n"
                      "    from: Artist\n"
                      "    fields:\n"
                      "      PK: { sql: \"CASE WHEN ArtistId <> 2 THEN ArtistId END\" }\n"
                      "      Albums: { embed: Album, fields: { AlbumId: copy } }\n",
                      "embedded {PK:1,Albums:[{\"AlbumId\":1}]} @0,103,7,p0\n"
                      "embedded REJECT key-null 2: the key field PK is null @1,105,7,p1\n"
                      "embedded {PK:3,Albums:[]} @0,102,7,p2\n");
    shop.stamps = false;
}

static void constants(void **state)
{
    (void)state;
    plan_test_records(&shop,
                      "  t:\n"
                      "    key: { partition: PK }\n"
                      "    from: Artist\n"
                      "    where: ArtistId <> 2\n"
                      "    fields:\n"
                      "      PK: { column: ArtistId }\n"
                      "      A: { const: true }\n"
                      "      B: { const: 5 }\n"
                      "      C: { const: 1.50 }\n"
                      "      D: { const: \"5\" }\n"
                      "      E: { const: Customer }\n"
                      "      G: { const: 0x10 }\n"
                      "      H: { const: yes, when: Name IS NULL }\n",
                      "t {PK:1,A:true,B:5,C:1.50,D:\"5\",E:\"Customer\",G:16}\n"
                      "t {PK:3,A:true,B:5,C:1.50,D:\"5\",E:\"Customer\",G:16,H:\"yes\"}\n");
    assert_int_equal(shop.counts[0].made, 2);
    assert_int_equal(shop.counts[0].filtered, 1);
}

static void columns_cast_default_when(void **state)
{
    (void)state;
    plan_test_records(&shop,
                      "  t:\n"
                      "    key: { partition: PK }\n"
                      "    from: Customer\n"
                      "    fields:\n"
                      "      PK: { column: CustomerId, cast: text }\n"
                      "      Phone: { column: Phone, default: none }\n"
                      "      Home: { column: Country, when: \"Country = 'Brazil'\" }\n"
                      "      Full: { sql: \"FirstName || ' ' || LastName\" }\n",
                      "t {PK:\"1\",Phone:\"+55\",Home:\"Brazil\",Full:\"Luis Silva\"}\n"
                      "t {PK:\"2\",Phone:\"none\",Full:\"Leonie Kohler\"}\n"
                      "t {PK:\"3\",Phone:\"none\",Full:\"Zoe Zander\"}\n");
}

static void nulls_kept_on_demand(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: { partition: Id }, from: Artist, nulls: keep, fields: { Id: { column: "
        "ArtistId }, Name: copy } }\n",
        "t {Id:1,Name:\"AC/DC\"}\nt {Id:2,Name:\"Accept\"}\nt {Id:3,Name:null}\n");
}

static void lookups_go_up(void **state)
{
    (void)state;
    plan_test_records(&shop,
                      "  t:\n"
                      "    key: { partition: Id }\n"
                      "    from: Track\n"
                      "    fields:\n"
                      "      Id: { column: TrackId }\n"
                      "      Artist: { lookup: Album.Artist, column: Name }\n"
                      "      Label: { lookup: Album.Artist, value: \"{Name} ({ArtistId})\" }\n"
                      "      Sort: \"{Artist}/{Name}\"\n",
                      "t {Id:1,Artist:\"AC/DC\",Label:\"AC/DC (1)\",Sort:\"AC/DC/About to Rock\"}\n"
                      "t {Id:2,Artist:\"Accept\",Label:\"Accept (2)\",Sort:\"Accept/Balls\"}\n"
                      "t {Id:3,Artist:\"Accept\",Label:\"Accept (2)\",Sort:\"Accept/Fast\"}\n"
                      "t {Id:4}\n");
}

static void a_table_refers_to_itself(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: Id }\n"
        "    from: Employee\n"
        "    fields:\n"
        "      Id: { column: EmployeeId }\n"
        "      Manager: { lookup: Employee, value: \"{FirstName} {LastName}\" }\n"
        "      Reports: { aggregate: Employee, value: count(*) }\n"
        "      Team: { embed: Employee, fields: { LastName: copy } }\n",
        "t {Id:1,Reports:1,Team:[{\"LastName\":\"Edwards\"}]}\n"
        "t {Id:2,Manager:\"Andrew Adams\",Reports:1,Team:[{\"LastName\":\"Peacock\"}]}\n"
        "t {Id:3,Manager:\"Nancy Edwards\",Reports:0,Team:[]}\n");
}

static void match_where_there_is_no_key(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: Id }\n"
        "    from: Invoice\n"
        "    fields:\n"
        "      Id: { column: InvoiceId }\n"
        "      Odd: { lookup: Track, match: { TrackId: CustomerId }, column: Name }\n"
        "      Same: { aggregate: Track, match: { TrackId: InvoiceId }, value: sum(Milliseconds) }\n",
        "t {Id:1,Odd:\"Balls\",Same:343719}\n"
        "t {Id:2,Odd:\"Balls\",Same:342562}\n"
        "t {Id:3,Odd:\"About to Rock\",Same:230619}\n");
}

static void aggregates_are_exact(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: Id }\n"
        "    from: Customer\n"
        "    fields:\n"
        "      Id: { column: CustomerId }\n"
        "      Orders: { aggregate: Invoice, value: count(*) }\n"
        "      Spent: { aggregate: Invoice, value: sum(Total) }\n"
        "      Least: { aggregate: Invoice, value: min(Total) }\n"
        "      Last: { aggregate: Invoice, value: max(InvoiceDate) }\n"
        "      Lines: { aggregate: Invoice.InvoiceLine, value: count(*) }\n"
        "      Albums: { aggregate: Invoice.InvoiceLine.Track, value: count(AlbumId) }\n"
        "      Prices: { aggregate: Invoice.InvoiceLine.Track, value: count(distinct UnitPrice) }\n"
        "      Regular: { const: true, when: \"Orders > 1\" }\n",
        "t {Id:1,Orders:1,Spent:0,Least:0,Last:\"2009-03-01\",Lines:0,Albums:0,Prices:0}\n"
        "t {Id:2,Orders:2,Spent:5.94,Least:1.98,Last:\"2009-02-01\",Lines:4,Albums:3,Prices:2,"
        "Regular:true}\n"
        "t {Id:3,Orders:0,Spent:0,Lines:0,Albums:0,Prices:0}\n");
}

static void lists_in_order(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: PK, sort: SK }\n"
        "    entities:\n"
        "      order:\n"
        "        from: Invoice\n"
        "        where: \"Total > 0\"\n"
        "        fields:\n"
        "          PK: \"CUSTOMER#{CustomerId}\"\n"
        "          SK: \"ORDER#{InvoiceDate}#{InvoiceId}\"\n"
        "          Count: { aggregate: InvoiceLine, value: count(*) }\n"
        "          Items:\n"
        "            embed: InvoiceLine\n"
        "            order: [Quantity desc, InvoiceLineId]\n"
        "            where: UnitPrice < 1.5\n"
        "            fields:\n"
        "              \"*\": copy\n"
        "              InvoiceId: { drop: true }\n"
        "              TrackId: { drop: true }\n"
        "              Artist: { lookup: Track.Album.Artist, column: Name }\n"
        "              Text: \"{Quantity} x {Artist}\"\n"
        "              Cents: { sql: \"Quantity * 99\" }\n",
        "order {PK:\"CUSTOMER#2\",SK:\"ORDER#2009-01-01#1\",Count:2,Items:["
        "{\"InvoiceLineId\":1,\"UnitPrice\":0.99,\"Quantity\":1,\"Artist\":\"Accept\",\"Text\":\"1 x "
        "Accept\",\"Cents\":99},{\"InvoiceLineId\":2,\"UnitPrice\":0.99,\"Quantity\":1,\"Cents\":99}]}\n"
        "order {PK:\"CUSTOMER#2\",SK:\"ORDER#2009-02-01#2\",Count:2,Items:["
        "{\"InvoiceLineId\":4,\"UnitPrice\":0.99,\"Quantity\":2,\"Artist\":\"AC/DC\",\"Text\":\"2 x "
        "AC/DC\",\"Cents\":198}]}\n");
    assert_int_equal(shop.plan->streams[0].child_count, 1); /* the count shares the list's rows */
}

static void paths_down_and_up(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: Id }\n"
        "    from: Artist\n"
        "    fields:\n"
        "      Id: { column: ArtistId }\n"
        "      Tracks: { embed: Album.Track, order: Name, fields: { Name: copy } }\n"
        "      Playlists: { aggregate: Album.Track.PlaylistTrack.Playlist, value: count(distinct Name) }\n",
        "t {Id:1,Tracks:[{\"Name\":\"About to Rock\"}],Playlists:2}\n"
        "t {Id:2,Tracks:[{\"Name\":\"Balls\"},{\"Name\":\"Fast\"}],Playlists:2}\n"
        "t {Id:3,Tracks:[],Playlists:0}\n");
}

static const char playlists[] =
    "  t:\n"
    "    key: { partition: PK, sort: SK }\n"
    "    entities:\n"
    "      playlist:\n"
    "        from: Playlist\n"
    "        fields:\n"
    "          PK: \"P#{PlaylistId}\"\n"
    "          SK: META\n"
    "          Count: { aggregate: PlaylistTrack, value: count(*) }\n"
    "          Length: { aggregate: PlaylistTrack.Track, value: sum(Milliseconds) }\n"
    "          Tracks: { embed: PlaylistTrack, order: TrackId, when: Count <= 2, fields: { TrackId: copy } }\n"
    "      page:\n"
    "        pages: playlist.Tracks\n"
    "        size: 3\n"
    "        when: Count > 2\n"
    "        fields:\n"
    "          PK: \"P#{PlaylistId}\"\n"
    "          SK: \"PAGE#{$page}\"\n"
    "          Page: { column: $page }\n"
    "          Of: { column: Name }\n"
    "          Items: { column: $list }\n";

static void pages_cut_lists(void **state)
{
    (void)state;
    static const char expected[] =
        "playlist {PK:\"P#1\",SK:\"META\",Count:2,Length:574338,Tracks:[{\"TrackId\":1},{\"TrackId\":3}]}\n"
        "playlist {PK:\"P#2\",SK:\"META\",Count:0,Length:0,Tracks:[]}\n"
        "playlist {PK:\"P#3\",SK:\"META\",Count:4,Length:916901}\n"
        "page {PK:\"P#3\",SK:\"PAGE#1\",Page:1,Of:\"Long\",Items:[{\"TrackId\":1},{\"TrackId\":2},{\"TrackId\":"
        "3}]}\n"
        "page {PK:\"P#3\",SK:\"PAGE#2\",Page:2,Of:\"Long\",Items:[{\"TrackId\":4}]}\n";
    plan_test_records(&shop, playlists, expected);
    assert_int_equal(shop.plan->stream_count, 1);
    assert_int_equal(shop.plan->streams[0].child_count, 2);
    assert_true(shop.plan->streams[0].children[0].aggregate_only);
    assert_false(shop.plan->streams[0].children[1].aggregate_only);
    assert_true(shop.plan->tables[0].keys_proven);
    assert_int_equal(shop.counts[1].made, 2);
}

static void pages_can_be_taken_between_rows(void **state)
{
    (void)state;
    static const char expected[] =
        "playlist {PK:\"P#1\",SK:\"META\",Count:2,Length:574338,Tracks:[{\"TrackId\":1},{\"TrackId\":3}]}\n"
        "playlist {PK:\"P#2\",SK:\"META\",Count:0,Length:0,Tracks:[]}\n"
        "page {PK:\"P#3\",SK:\"PAGE#1\",Page:1,Of:\"Long\",Items:[{\"TrackId\":1},{\"TrackId\":2},{\"TrackId\":"
        "3}]}\n"
        "playlist {PK:\"P#3\",SK:\"META\",Count:4,Length:916901}\n"
        "page {PK:\"P#3\",SK:\"PAGE#2\",Page:2,Of:\"Long\",Items:[{\"TrackId\":4}]}\n";
    shop.take_rows = 1;
    plan_test_records(&shop, playlists, expected);
}

static void pages_of_a_filtered_parent_are_not_made(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: { partition: PK, sort: SK }\n"
        "    entities:\n"
        "      playlist:\n"
        "        from: Playlist\n"
        "        where: PlaylistId = 1\n"
        "        fields: { PK: \"P#{PlaylistId}\", SK: META, L: { embed: PlaylistTrack, when: "
        "\"0\", fields: { TrackId: copy } } }\n"
        "      page:\n"
        "        pages: playlist.L\n"
        "        fields: { PK: \"P#{PlaylistId}\", SK: \"{$page}\", L: { column: $list } }\n",
        "playlist {PK:\"P#1\",SK:\"META\"}\n"
        "page {PK:\"P#1\",SK:\"1\",L:[{\"TrackId\":1},{\"TrackId\":3}]}\n");
}

static void one_table_feeds_many_entities(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  a: { key: { partition: Id }, from: Artist, fields: { Id: { column: ArtistId } } }\n"
        "  b: { key: { partition: N }, from: Artist, where: Name NOT NULL, fields: { N: { column: "
        "Name } } }\n",
        "a {Id:1}\na {Id:2}\na {Id:3}\nb {N:\"AC/DC\"}\nb {N:\"Accept\"}\n");
    assert_int_equal(shop.plan->stream_count, 1);
}

static void queries_and_views(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  q:\n"
        "    key: { partition: C, sort: N }\n"
        "    entities:\n"
        "      q:\n"
        "        query: \"SELECT CustomerId AS C, count(*) AS N FROM Invoice GROUP BY 1 ORDER BY 1\"\n"
        "        key: [C]\n"
        "  v: { key: { partition: TrackId }, from: Cheap }\n",
        "q {C:1,N:1}\nq {C:2,N:2}\n"
        "v {TrackId:1,Name:\"About to Rock\"}\nv {TrackId:2,Name:\"Balls\"}\n"
        "v {TrackId:4,Name:\"Loose\"}\n");
    assert_false(shop.plan->tables[0].keys_proven);
    assert_non_null(strstr(shop.plan->tables[1].keys_reason, "view"));
}

static void null_keys_are_rejected(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t: { key: { partition: PK }, from: Artist, fields: { PK: \"N#{Name}\", Id: { column: ArtistId } } }\n",
        "t {PK:\"N#AC/DC\",Id:1}\nt {PK:\"N#Accept\",Id:2}\n"
        "t REJECT key-null 3: the key field PK is null\n");
    assert_int_equal(shop.counts[0].made, 3);
    assert_int_equal(shop.counts[0].rejected, 1);
}

static void failing_values_are_rejected(void **state)
{
    (void)state;
    plan_test_expect(
        &shop, plan_test_tables(
                   &shop, "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: "
                          "ArtistId }, N: { column: Name, cast: int64 } } }\n"));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "t REJECT type 1: "));
    assert_non_null(strstr(out, "t REJECT type 2: "));
    assert_non_null(strstr(out, "t {Id:3}\n"));
    plan_test_expect(
        &shop,
        plan_test_tables(&shop,
                         "  t: { key: { partition: Id }, from: Artist, fields: { Id: { column: "
                         "ArtistId }, N: { sql: \"abs(-9223372036854775807 - ArtistId)\" } } }\n"));
    assert_non_null(strstr(plan_test_run(&shop), "t REJECT expression 1: "));
}

/* A reject can be mended only if it holds all that could be made. */
static void rejects_hold_the_other_fields(void **state)
{
    (void)state;
    shop.show_rejects = true;
    plan_test_records(
        &shop,
        "  t: { key: { partition: PK }, from: Artist, where: ArtistId > 2, fields: { A: { column: "
        "ArtistId }, PK: \"N#{Name}\", Z: \"z{ArtistId}\" } }\n",
        "t REJECT key-null 3: the key field PK is null {\"A\":3,\"Z\":\"z3\"}\n");
    plan_test_expect(
        &shop, plan_test_tables(
                   &shop, "  t: { key: { partition: Id }, from: Invoice, where: InvoiceId = 1, "
                          "fields: { Id: { column: InvoiceId }, D: { column: InvoiceDate, cast: "
                          "int64 }, L: { embed: InvoiceLine, fields: { Q: { column: Quantity }, N: "
                          "{ sql: \"abs(-9223372036854775807 - Quantity)\" } } }, Z: "
                          "\"z{InvoiceId}\" } }\n"));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "t REJECT type 1: "));
    assert_non_null(strstr(
        out,
        "{\"Id\":1,\"D\":[?,\"2009-01-01\"],\"L\":[{\"Q\":1,\"N\":?},{\"Q\":1,\"N\":?}],\"Z\":\"z1\"}\n"));
    assert_int_equal(shop.counts[0].made, 1);
    assert_int_equal(shop.counts[0].rejected, 1);
    plan_test_expect(
        &shop, plan_test_tables(&shop, "  t: { key: { partition: ArtistId }, from: Artist, where: "
                                       "\"abs(-9223372036854775807 - ArtistId) > 0\" }\n"));
    assert_non_null(strstr(plan_test_run(&shop), "t REJECT expression 1: "));
    assert_non_null(strstr(plan_test_run(&shop), "{\"ArtistId\":1,\"Name\":\"AC/DC\"}\n"));
}

/* A page with an item that can't be made is a reject with its other items; the rest goes on. */
static void pages_with_failing_items_are_rejected(void **state)
{
    (void)state;
    shop.show_rejects = true;
    plan_test_expect(
        &shop,
        plan_test_tables(
            &shop,
            "  t:\n"
            "    key: { partition: PK, sort: SK }\n"
            "    entities:\n"
            "      c: { from: Customer, where: CustomerId = 2, fields: { PK: \"C#{CustomerId}\", SK: "
            "P, L: { embed: Invoice.InvoiceLine, when: \"1 = 0\", order: InvoiceLineId, fields: { I: "
            "{ column: InvoiceLineId }, N: { sql: \"CASE InvoiceLineId WHEN 2 THEN "
            "abs(-9223372036854775807 - Quantity) END\" } } } } }\n"
            "      p: { pages: c.L, size: 2, fields: { PK: \"C#{CustomerId}\", SK: \"{$page}\", L: "
            "{ column: $list } } }\n"));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "p REJECT expression 2: "));
    assert_non_null(
        strstr(out, " {\"PK\":\"C#2\",\"SK\":\"1\",\"L\":[{\"I\":1},{\"I\":2,\"N\":?}]}\n"));
    assert_non_null(strstr(out, "p {PK:\"C#2\",SK:\"2\",L:[{\"I\":3},{\"I\":4}]}\n"));
    assert_int_equal(shop.counts[1].made, 2);
    assert_int_equal(shop.counts[1].rejected, 1);
}

static void null_keys_are_rejected_by_sql_targets_too(void **state)
{
    (void)state;
    plan_test_records(&shop,
                      "  t: { key: [PK], from: Artist, fields: { PK: \"N#{Name}\", Id: { column: "
                      "ArtistId } } }\n",
                      "t {PK:\"N#AC/DC\",Id:1}\nt {PK:\"N#Accept\",Id:2}\n"
                      "t REJECT key-null 3: the key field PK is null\n");
    assert_true(shop.plan->tables[0].target.columns[0].not_null);
    plan_test_records(&shop, "  t: { key: [Name], from: Artist }\n",
                      "t {ArtistId:1,Name:\"AC/DC\"}\nt {ArtistId:2,Name:\"Accept\"}\n"
                      "t REJECT key-null 3: the key field Name is null\n");
    plan_test_expect_code(
        &shop,
        plan_test_tables(&shop,
                         "  t: { key: [Name], columns: { Name: { null: true } }, from: Artist }\n"),
        ERROR_PLAN_INVALID, "it can't be null");
}

static void lists_that_grow_too_large_are_rejected(void **state)
{
    (void)state;
    shop.record_bytes_max = 6; /* of which forty times as much are held */
    plan_test_expect(
        &shop, plan_test_tables(
                   &shop, "  t: { key: { partition: Id }, from: Playlist, fields: { Id: { column: "
                          "PlaylistId }, L: { embed: PlaylistTrack } } }\n"));
    const char *out = plan_test_run(&shop);
    assert_non_null(strstr(out, "t {Id:2,L:[]}\n"));
    assert_non_null(strstr(out, "t REJECT record-too-large 3: "));
    assert_null(strstr(out, "t {Id:3"));
}

static void json_is_yaml(void **state)
{
    (void)state;
    plan_test_expect(
        &shop,
        "{\"transhume\": 1, \"tables\": {\"t\": {\"key\": {\"partition\": \"Id\"}, \"from\": "
        "\"Artist\", \"fields\": {\"Id\": {\"column\": \"ArtistId\"}}}}}");
    assert_string_equal(plan_test_run(&shop), "t {Id:1}\nt {Id:2}\nt {Id:3}\n");
}

/* ---------------------------------------------------------------- SQL targets */

static int open_sql(void **state)
{
    (void)state;
    plan_test_open(&shop, plan_test_shop, "sqlite");
    return 0;
}

static void sql_targets_fill_every_column(void **state)
{
    (void)state;
    plan_test_records(
        &shop,
        "  t:\n"
        "    key: [Id]\n"
        "    columns: { Note: { type: TEXT, null: true } }\n"
        "    from: Artist\n"
        "    fields:\n"
        "      Id: { column: ArtistId }\n"
        "      Name: copy\n"
        "      Note: { const: x, when: ArtistId = 2 }\n"
        "      Albums: { embed: Album, fields: { Title: copy } }\n",
        "t {Id:1,Name:\"AC/DC\",Note:null,Albums:[{\"Title\":\"For Those\"}]}\n"
        "t {Id:2,Name:\"Accept\",Note:\"x\",Albums:[{\"Title\":\"Balls\"},{\"Title\":\"Restless\"}]}\n"
        "t {Id:3,Name:null,Note:null,Albums:[]}\n");
    const struct target_table *table = &shop.plan->tables[0].target;
    assert_int_equal(table->column_count, 4);
    assert_string_equal(table->columns[0].type.native, "INTEGER");
    assert_true(table->columns[0].not_null);
    assert_int_equal(table->columns[3].type.kind, VALUE_JSON);
    assert_null(table->same_engine);
}

static void pages_in_sql_targets_are_json(void **state)
{
    (void)state;
    plan_test_expect(
        &shop,
        plan_test_tables(
            &shop,
            "  t: { key: [Id], from: Playlist, fields: { Id: { column: PlaylistId }, L: { embed: "
            "PlaylistTrack, when: \"0\" } } }\n"
            "  p: { key: [Id, Page], pages: t.L, fields: { Id: { column: PlaylistId }, Page: { column: "
            "$page }, Items: { column: $list } } }\n"));
    plan_test_run(&shop);
    const struct plan_entity *page = &shop.plan->entities[1];
    assert_int_equal(page->shape->fields[2].type.kind, VALUE_JSON);
    assert_non_null(strstr(buffer_string(&shop.out), "p {Id:1,Page:1,Items:[{\"PlaylistId\":1,"));
}

static void declarations_are_carried(void **state)
{
    (void)state;
    plan_test_expect(
        &shop, plan_test_tables(
                   &shop, "  Rechnung: { from: Invoice, fields: { Id: { column: InvoiceId }, "
                          "Kunde: { column: CustomerId }, Total: copy } }\n"
                          "  Kunde: { from: Customer, fields: { Nr: { column: CustomerId } } }\n"));
    const struct target_table *table = &shop.plan->tables[0].target;
    assert_string_equal(table->key.names[0], "Id");
    assert_string_equal(table->columns[2].type.native, "NUMERIC(10,2)");
    assert_int_equal(table->reference_count, 1);
    assert_string_equal(table->references[0].table, "Kunde");
    assert_string_equal(table->references[0].columns.names[0], "Kunde");
    assert_string_equal(table->references[0].referenced_columns.names[0], "Nr");
    assert_int_equal(table->index_count, 1);
    assert_string_equal(table->indexes[0].columns.names[0], "Kunde");
    plan_test_expect(
        &shop,
        plan_test_tables(&shop,
                         "  a: { key: [x], references: { x: b.y }, from: Artist, fields: { x: { "
                         "column: ArtistId } } }\n"
                         "  b: { key: [y], from: Artist, fields: { y: { column: ArtistId } } }\n"));
    assert_string_equal(shop.plan->tables[0].target.references[0].table, "b");
}

static void whole_tables_keep_their_definition(void **state)
{
    (void)state;
    plan_test_expect(
        &shop, plan_test_tables(&shop, "  Artist: { from: Artist }\n  Copy: { from: Artist }\n"));
    assert_non_null(shop.plan->tables[0].target.same_engine);
    assert_null(shop.plan->tables[1].target.same_engine);
    assert_null(shop.plan->same_engine_objects);
}

static void plain_copies(void **state)
{
    (void)state;
    plan_test_expect(&shop, NULL);
    assert_int_equal(shop.plan->table_count, 9);
    assert_int_equal(shop.plan->stream_count, 9);
    assert_non_null(shop.plan->same_engine_objects);
    for (uint32_t i = 0; i < shop.plan->stream_count; i++) {
        assert_true(shop.plan->streams[i].identity);
        assert_true(shop.plan->streams[i].express);
        assert_non_null(shop.plan->tables[i].target.same_engine);
    }
    assert_non_null(strstr(plan_test_run(&shop), "PlaylistTrack {PlaylistId:3,TrackId:4}\n"));
    const char *include[] = {"Play*", "_transhume_x"};
    const char *exclude[] = {"*Track"};
    shop.settings.include = include;
    shop.settings.include_count = 2;
    shop.settings.exclude = exclude;
    shop.settings.exclude_count = 1;
    plan_test_expect(&shop, NULL);
    assert_int_equal(shop.plan->table_count, 1);
    assert_string_equal(shop.plan->tables[0].target.name, "Playlist");
    assert_int_equal(shop.plan->same_engine_objects->object_count,
                     0); /* the view stands on Track */
}

static void streams_to_other_engines_drop_nulls_in_place(void **state)
{
    (void)state;
    plan_test_records(
        &shop, "  t: { key: { partition: ArtistId }, from: Artist }\n",
        "t {ArtistId:1,Name:\"AC/DC\"}\nt {ArtistId:2,Name:\"Accept\"}\nt {ArtistId:3}\n");
    assert_false(shop.plan->streams[0].identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)
#define WITH_SQL(test) cmocka_unit_test_setup_teardown(test, open_sql, close_shop)
        WITH_SHOP(templates_and_star),
        WITH_SHOP(envelopes_are_carried),
        WITH_SHOP(envelopes_of_rejects),
        WITH_SHOP(constants),
        WITH_SHOP(columns_cast_default_when),
        WITH_SHOP(nulls_kept_on_demand),
        WITH_SHOP(lookups_go_up),
        WITH_SHOP(a_table_refers_to_itself),
        WITH_SHOP(match_where_there_is_no_key),
        WITH_SHOP(aggregates_are_exact),
        WITH_SHOP(lists_in_order),
        WITH_SHOP(paths_down_and_up),
        WITH_SHOP(pages_cut_lists),
        WITH_SHOP(pages_can_be_taken_between_rows),
        WITH_SHOP(pages_of_a_filtered_parent_are_not_made),
        WITH_SHOP(one_table_feeds_many_entities),
        WITH_SHOP(queries_and_views),
        WITH_SHOP(null_keys_are_rejected),
        WITH_SHOP(failing_values_are_rejected),
        WITH_SHOP(rejects_hold_the_other_fields),
        WITH_SHOP(pages_with_failing_items_are_rejected),
        WITH_SQL(null_keys_are_rejected_by_sql_targets_too),
        WITH_SHOP(lists_that_grow_too_large_are_rejected),
        WITH_SHOP(json_is_yaml),
        WITH_SHOP(streams_to_other_engines_drop_nulls_in_place),
        WITH_SQL(sql_targets_fill_every_column),
        WITH_SQL(pages_in_sql_targets_are_json),
        WITH_SQL(declarations_are_carried),
        WITH_SQL(whole_tables_keep_their_definition),
        WITH_SQL(plain_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
