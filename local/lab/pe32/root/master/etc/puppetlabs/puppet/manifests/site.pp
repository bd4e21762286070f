filebucket { 'main':
  server => '@MASTER@',
  path   => false,
}

File { backup => 'main' }

node default {
  include ntp
}
