filebucket { 'main':
  server => 'master.pe.example.com',
  path   => false,
}

File { backup => 'main' }

node default {
  include ntp
}
