"""Asks the AWS CLI itself of commands: a JSON list of [page, text, whole] on standard input, whole where the text is a command to type and
not only its name. Prints what is wrong with each, and the number of commands."""
import json, re, shlex, sys
from awscli.clidriver import create_clidriver

driver = create_clidriver()
services = driver.subcommand_table if hasattr(driver, 'subcommand_table') else driver._get_command_table()
# The last one came with version 2.
everywhere = {*driver._get_argument_table(), 'cli-binary-format', 'version'}

def calls(text):
    inner = re.findall(r'\$\(([^()]*)\)', text)
    text = re.sub(r'\$\([^()]*\)', 'x', re.sub(r'<(\w+)>', r'\1', text))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    call = None
    for word in [*lexer, ';']:
        if set(word) <= set('();<>|&{}'):
            if call: yield call
            call = None
        elif word == 'aws' and call is None: call = []
        elif call is not None: call.append(word)
    for one in inner: yield from calls(one)

def faults(words, whole):
    options = [word[2:].split('=')[0] for word in words if re.match('--[a-z]', word)]
    if words[0].startswith('--'): return [f'no option --{name}' for name in options if name not in everywhere]
    service = services.get(words[0])
    if service is None: return [f'no service {words[0]}']
    verbs = service.subcommand_table if hasattr(service, 'subcommand_table') else service._get_command_table()
    if words[1] not in verbs: return [f'{words[0]} has no {words[1]}']
    # lambda invoke has a file behind its options.
    known = verbs[words[1]].arg_table
    required = [name for name, one in known.items() if one.required and name != 'outfile']
    return [f'no option --{name}' for name in options if name not in known and name not in everywhere] + [
        f'it lacks --{name}' for name in required if whole and name not in options
    ]

number, wrong = 0, []
for page, text, whole in json.load(sys.stdin):
    for words in calls(text):
        number += 1
        wrong += [f'{page}: aws {" ".join(words)}: {fault}' for fault in faults(words, whole)]
print(json.dumps({'number': number, 'wrong': wrong}))
