# shellcheck shell=bash
# What PostgreSQL's programs write, read by one rule when a dump is made and when it is restored. Tables have one spelling, whichever
# version wrote their names: schema.table, each part in double quotes unless it is plain, with %XX for what would break a line.

# Functions of awk that follow SQL through its lines: names, comments and settings may hold any text, whole statements too.
sql_awk() {
  cat <<'AWK'
    # Takes a line into the statement that it belongs to; true at the end of the statement.
    function is_whole(line) {
      statement = within ? statement "\n" line : line
      while (match(line, quote == "" ? "['\"]" : quote)) {
        quote = quote == "" ? substr(line, RSTART, 1) : ""
        line = substr(line, RSTART + 1)
      }
      within = quote != "" || line !~ /;$/
      return !within
    }
    # Takes the identifier away that the rest of the statement begins with.
    function identifier(  name) {
      if (rest !~ /^"/) {
        if (!match(rest, /^[^ .,;("]+/)) strange()
        name = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
        return name
      }
      for (rest = substr(rest, 2); match(rest, /"/); rest = substr(rest, 2)) {
        name = name substr(rest, 1, RSTART - 1)
        rest = substr(rest, RSTART + 1)
        if (rest !~ /^"/) return name
        name = name "\""
      }
      strange()
    }
    function strange() {
      print "not understood: " substr(statement, 1, 200) > "/dev/stderr"
      failed = 1
      exit 1
    }
AWK
}

# rows_in_dump: reads what pg_restore --data-only prints, and prints ROWS<TAB>TABLE of each table. Fails where the text ends within a
# table or a statement, or has a COPY that is not understood. Before the versions of March 2018 (10.3, 9.6.8, 9.5.12, 9.4.17, 9.3.22)
# a table's schema stands in a SET before its COPY, from then on in the COPY itself.
rows_in_dump() {
  LC_ALL=C awk "$(sql_awk)"'
    function spelled(name) {
      if (name ~ /^[a-z_][a-z0-9_$]*$/) return name
      gsub(/"/, "&&", name)
      gsub(/%/, "%25", name)
      gsub(/\t/, "%09", name)
      gsub(/\n/, "%0A", name)
      gsub(/\r/, "%0D", name)
      return "\"" name "\""
    }
    reading && $0 != "\\." { rows++; next }
    reading { printf "%.0f\t%s\n", rows, table; reading = 0; next }
    # Between statements: nothing, comments, commands to psql.
    !within && /^(--|\\|$)/ { next }
    !is_whole($0) { next }
    statement ~ /^SET search_path = / { rest = substr(statement, 19); schema = identifier(); next }
    statement !~ /^COPY / { next }
    {
      rest = substr(statement, 6)
      table = identifier()
      if (rest ~ /^\./) { rest = substr(rest, 2); table = spelled(table) "." spelled(identifier()) }
      else if (schema != "") table = spelled(schema) "." spelled(table)
      else strange()
      if (statement !~ / FROM stdin;$/) strange()
      rows = 0
      reading = 1
    }
    END { exit failed || reading || within }
  '
}

# pass_archive LIST BYTES: copies an archive of pg_dump -Fc -Z0, of version 9.0 to 18, reads its blocks to its end on their way, and writes
# ROWS<TAB>TABLE of each table into LIST and the archive's size into BYTES. Ends with 1 and the reason when it is not whole, and with
# another status when it can't read or write. Rows are line feeds: most versions write a row a piece, others many.
pass_archive() { LC_ALL=C perl -e "$(archive_perl)" "$1" "$2"; }

# The layout is that of pg_backup_archiver.h and pg_backup_custom.c: a head, the table of contents, then a block per entry that has
# data, in pieces that begin with their length. Numbers are a sign and four bytes, the least first.
archive_perl() {
  cat <<'PERL'
    use strict;
    use warnings;
    my ($list, $bytes) = @ARGV;
    my ($buffer, $at, $gone, %table, %wanted) = ('', 0, 0);

    # Passes the next piece of the stream on. Keeps it, with five bytes before what is not read yet; false at the end of the stream.
    sub more {
      if ($at > 5) { substr $buffer, 0, $at - 5, ''; $gone += $at - 5; $at = 5 }
      my $had = length $buffer;
      my $read = sysread STDIN, $buffer, 1 << 20, $had;
      defined $read or exit 2;
      for (my $passed = 0; $passed < $read;) { $passed += syswrite(STDOUT, $buffer, $read - $passed, $had + $passed) || exit 2 }
      return $read;
    }
    sub need { while (length($buffer) - $at < $_[0]) { more() or die 'it ends after ', $gone + length $buffer, " bytes: it is cut off\n" } }
    sub take { need($_[0]); $at += $_[0]; return substr $buffer, $at - $_[0], $_[0] }
    sub number { my ($minus, $number) = unpack 'CV', take(5); return $minus ? -$number : $number }
    sub text { my $length = number(); return $length < 0 ? undef : take($length) }
    sub spelled {
      my ($name) = @_;
      return $name if $name =~ /^[a-z_][a-z0-9_\$]*\z/;
      $name =~ s/"/""/g;
      $name =~ s/([%\t\n\r])/sprintf '%%%02X', ord $1/ge;
      return "\"$name\"";
    }

    # Reads pieces up to the empty one that ends them: how many line feeds they hold, and their last five bytes.
    sub pieces {
      my ($feeds, $last, $short) = (0, '', 1);
      for (;;) {
        # One line a piece, as most versions write, in as few steps as can be; whatever else there is, below.
        my ($room, $end) = (length($buffer) - 5);
        while ($at <= $room) {
          $end = $at + 5 + unpack 'V', substr $buffer, $at + 1, 4;
          last if index($buffer, "\n", $at + 5) != $end - 1 || $end < $at + 10 || ord substr $buffer, $at, 1;
          $feeds++;
          $at = $end;
          $short = 0;
        }
        need(5);
        my ($minus, $length) = unpack 'CV', substr $buffer, $at, 5;
        die 'a length is garbled at byte ', $gone + $at, "\n" if $minus;
        if ($length < 5) {
          need(5 + $length);
          $last = substr $buffer, $at - 5, 5 unless $short;
          $last = substr $last . substr($buffer, $at + 5, $length), -5;
        }
        $at += 5;
        return ($feeds, $last) unless $length;
        $short = $length < 5;
        while ($length) {
          need(1);
          my $here = length($buffer) - $at;
          $here = $length if $here > $length;
          $length -= $here;
          my $end = $at + $here;
          for (my $feed = index $buffer, "\n", $at; $feed >= 0 && $feed < $end; $feed = index $buffer, "\n", $feed + 1) {
            $feeds++;
            last if $feed == $end - 1;
          }
          $at = $end;
        }
      }
    }

    sub read_archive {
      take(5) eq 'PGDMP' or die "it is no archive of pg_dump\n";
      my ($major, $minor, undef, $integer, $offset, $format) = unpack 'C6', take(6);
      my $version = $major * 100 + $minor;
      $version >= 112 && $version <= 116 && $integer == 4 && $format == 1 or die "its format $major.$minor is not known\n";
      my $packed = $version < 115 ? number() : ord take(1);
      $packed and die "it is compressed\n";
      number() for 1 .. 7;
      text() for 1 .. 3;
      for (1 .. number()) {
        my ($id, $has_data) = (number(), number());
        text() for 1, 2;
        my ($name, $kind) = (text(), text());
        number();
        text() for 1 .. 3;
        my $schema = text();
        text();
        text() if $version >= 114;
        number() if $version >= 116;
        text() for 1, 2;
        1 while defined text();
        take(1 + $offset);
        $wanted{$id} = 1 if $has_data;
        $table{$id} = spelled($schema) . '.' . spelled($name) if $kind eq 'TABLE DATA';
      }
      while (length($buffer) > $at or more()) {
        my ($kind, $id) = (ord take(1), number());
        delete $wanted{$id} or die "data of an unknown or former entry $id at byte ", $gone + $at, "\n";
        if ($kind == 1 && defined $table{$id}) {
          my ($feeds, $last) = pieces();
          $last eq "\\.\n\n\n" or die "the rows of $table{$id} have no end\n";
          print LIST $feeds - 3, "\t$table{$id}\n" or exit 2;
        } elsif ($kind == 3) {
          pieces() while number();
        } else {
          die "data of a kind $kind that is not known at byte ", $gone + $at, "\n";
        }
      }
      %wanted and die 'the data of ', scalar keys %wanted, " of its entries is missing\n";
    }

    open LIST, '>', $list or exit 2;
    my $whole = eval { read_archive(); 1 };
    print STDERR $@ unless $whole;
    do { $at = length $buffer } while more();
    open BYTES, '>', $bytes or exit 2;
    print BYTES $gone + length $buffer or exit 2;
    close LIST && close BYTES or exit 2;
    exit !$whole;
PERL
}

# globals_to_apply: leaves out what pg_dumpall up to 10 says of databases, each of which brings its own settings. A role or tablespace
# that is there already loses what the statements behind its CREATE do not name. Before 16 no other catalog knows of a membership.
globals_to_apply() {
  LC_ALL=C awk "$(sql_awk)"'
    function quoted(name) { gsub(/"/, "&&", name); return "\"" name "\"" }
    function literal(text) { gsub(/\047/, "&&", text); return "\047" text "\047" }
    !within && /^(--|\\|$)/ { print; next }
    !is_whole($0) { next }
    statement ~ /^ALTER ROLE / { rest = substr(statement, 12); identifier(); if (rest ~ /^ IN DATABASE /) next }
    { print statement }
    statement ~ /^CREATE ROLE / {
      rest = substr(statement, 13)
      name = identifier()
      print "UPDATE pg_catalog.pg_authid SET rolconnlimit = -1, rolvaliduntil = NULL, rolpassword = NULL WHERE rolname = " literal(name) ";"
      print "DELETE FROM pg_catalog.pg_auth_members WHERE member = (SELECT oid FROM pg_catalog.pg_authid WHERE rolname = " literal(name) ");"
      print "ALTER ROLE " quoted(name) " RESET ALL;"
      print "COMMENT ON ROLE " quoted(name) " IS NULL;"
    }
    statement ~ /^CREATE TABLESPACE / {
      rest = substr(statement, 19)
      name = identifier()
      if (rest !~ /^ OWNER /) strange()
      rest = substr(rest, 8)
      print "ALTER TABLESPACE " quoted(name) " OWNER TO " quoted(identifier()) ";"
      print "DELETE FROM pg_catalog.pg_shdepend WHERE classid = \047pg_catalog.pg_tablespace\047::pg_catalog.regclass AND deptype = \047a\047 AND objid = (SELECT oid FROM pg_catalog.pg_tablespace WHERE spcname = " literal(name) ");"
      print "UPDATE pg_catalog.pg_tablespace SET spcacl = NULL, spcoptions = NULL WHERE spcname = " literal(name) ";"
      print "COMMENT ON TABLESPACE " quoted(name) " IS NULL;"
    }
    END { exit failed || within }
  '
}

# The spelling of a name in a column.
spelled_sql() {
  printf "CASE WHEN %s::text COLLATE \"C\" ~ '^[a-z_][a-z0-9_\$]*\$' THEN %s::text ELSE " "$1" "$1"
  printf "'\"' || replace(replace(replace(replace(replace(%s::text, '\"', '\"\"'), '%%', '%%25'), chr(9), '%%09'), chr(10), '%%0A'), chr(13), '%%0D') || '\"' END" "$1"
}

# counting_sql: finds the tables of a database that a dump copies, and makes a statement of each that counts its rows: none is too long,
# and none holds more than one lock. An extension's rows are its script's, but for those that it leaves to its users.
counting_sql() {
  printf "
    SELECT 'SELECT count(*) || chr(9) || ' || quote_literal(spelled) || ' FROM ' ||
             CASE WHEN coalesce(condition, '') = '' THEN 'ONLY ' ELSE '' END || place || ' ' || coalesce(condition, '') || ';'
    FROM (
      SELECT (%s) || '.' || (%s) AS spelled, quote_ident(nspname) || '.' || quote_ident(relname) AS place, condition
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN (SELECT unnest(extconfig) AS configuration, unnest(extcondition) AS condition FROM pg_extension) e ON configuration = c.oid
      WHERE relkind = 'r' AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
        AND (configuration IS NOT NULL OR NOT EXISTS (
          SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))) t;
  " "$(spelled_sql nspname)" "$(spelled_sql relname)"
}

# differing_rows EXPECTED FOUND: says of each table of the first list how the second differs.
differing_rows() {
  LC_ALL=C awk -F '\t' '
    list == "found" { found[$2] = $1; next }
    !($2 in found) { print $2 " is missing"; next }
    found[$2] != $1 { print $2 " has " found[$2] " rows, the backup " $1 }
  ' list=found "$2" list=expected "$1"
}
