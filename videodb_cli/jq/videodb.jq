# Fields of VideoDB's events, for jq: jq -L "$(videodb path jq)" 'import "videodb" as v; v::text' videodb_events.jsonl

def _words: if type == "string" and . != "" then . elif type == "number" then tostring else empty end;

def _words_in: if type == "object"
  then first((.text, .summary, .label, .event_label, .explanation, (.error | objects | .message)) | _words) // null
  else null end;

# What an event says; null if it has no words.
def text: (.data | _words_in) // _words_in // first(.raw | _words) // null;

# The name of its stream, mic for mic:default; its id if it has no name; null if it has no stream.
def speaker:
  first((.rtstream_name, .rtstreamName, .rtstream_id, .rtstreamId) | strings | select(. != "")) // null
  | if . == null then null
    elif startswith("Capture ") and contains(" - ") then .[8:] | .[:index(" - ")]
    elif endswith(":default") then .[:index(":")]
    else . end;

def _seconds: numbers | if fabs >= 1e11 then . / 1000 else . end;

# When it happened, in Unix seconds: the start of a recovered event, the receipt of any other.
def when:
  (if .recovered == true then first(((.data | objects | .start), .start) | _seconds | select(. >= 1e9)) // null
   else null end)
  // (.unix_ts | numbers) // null;
