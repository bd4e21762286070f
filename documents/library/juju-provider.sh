# shellcheck shell=bash
# The cloud as Juju 1.x sees it, asked with Juju's own account: the control bucket's provider-state, and instances.

# find_provider: sets provider_bucket, or returns 1 when the client's files tell none.
find_provider() {
  local jenv=$client_directory/environments/$client_name.jenv
  provider_bucket=$(setting "$jenv" control-bucket)
  provider_region=$(setting "$jenv" region)
  provider_key=$(setting "$jenv" access-key)
  provider_secret=$(setting "$jenv" secret-key)
  [ -n "$provider_bucket" ]
}

# provider_aws ARGUMENT...: secrets by the environment, where no list of processes shows them.
provider_aws() {
  AWS_ACCESS_KEY_ID=$provider_key AWS_SECRET_ACCESS_KEY=$provider_secret AWS_DEFAULT_REGION=${provider_region:-us-east-1} \
    aws "$@" </dev/null 4>&-
}

# read_provider_state FILE: returns 1 when there is none.
read_provider_state() { provider_aws s3 cp "s3://$provider_bucket/provider-state" "$1" --only-show-errors 2>"$work/provider.log"; }

# provider_instances: the instances that Juju takes for its state servers.
provider_instances() { read_provider_state "$work/provider-state" && sed -n 's/^[[:space:]]*- *//p' "$work/provider-state"; }

# instance_state ID: what EC2 calls it; gone when it knows it no more, unknown when it can't be asked.
instance_state() {
  local state
  if state=$(provider_aws ec2 describe-instances --instance-ids "$1" --query 'Reservations[0].Instances[0].State.Name' --output text 2>"$work/ec2.log"); then
    printf '%s' "$state"
  elif grep -q InvalidInstanceID "$work/ec2.log"; then
    printf 'gone'
  else
    printf 'unknown'
  fi
}

# lacks_of INSTANCE: what a state server that Juju has just made lacks before it can be backed up, one word per line: the tag
# of its system, an instance profile, the SSM agent, the AWS CLI. What can't be asked counts as lacking.
lacks_of() {
  local profile tag tools
  # shellcheck disable=SC2016 # of the query's own language
  read -r profile tag < <(provider_aws ec2 describe-instances --instance-ids "$1" --output text \
    --query 'Reservations[0].Instances[0].[IamInstanceProfile.Arn, Tags[?Key==`holdfast:system`].Value | [0]]' 2>"$work/ec2.log" || true) || true
  case $tag in '' | None) echo tag ;; esac
  case $profile in '' | None) echo profile ;; esac
  # shellcheck disable=SC2016 # on the other machine
  tools=$(juju_seconds=60 && juju ssh 0 'for tool in amazon-ssm-agent aws; do command -v $tool || [ -e /snap/$tool ] && echo has:$tool; done; true' 2>"$work/ssh.log") || true
  case $tools in *has:amazon-ssm-agent*) ;; *) echo amazon-ssm-agent ;; esac
  case $tools in *has:aws*) ;; *) echo aws ;; esac
}

# saved_provider_state RUN: the copy that a restore makes before Juju deletes it.
saved_provider_state() { printf '%s/provider-state' "$(restore_directory "$1")"; }

# put_back_provider_state RUN "USER NAME": without it juju restore can't be run again. One that was written meanwhile is of a
# new state server and stays.
put_back_provider_state() {
  work=${work:-$state_directory}
  find_client "${2%% *}" && choose_controller "${2#* }" && find_provider || return 0
  if read_provider_state "$work/provider-state.now"; then return 0; fi
  AWS_REQUEST_CHECKSUM_CALCULATION=when_required provider_aws s3api put-object --bucket "$provider_bucket" --key provider-state \
    --body "$(saved_provider_state "$1")" >/dev/null 2>&1 ||
    not_rolled_back="$not_rolled_back The provider-state of ${2#* } could not be put back: its copy is $(saved_provider_state "$1")."
}
